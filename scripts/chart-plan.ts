/** Where the states of a chart stand and how its edges run: drawn by hand, see chart-compile.ts. */
export interface Plan {
  readonly width: number
  readonly height: number
  readonly cornerRadius: number
  /** x, y, width, height. */
  readonly nodes: Readonly<Record<string, readonly [number, number, number, number]>>
  readonly edges: Readonly<Record<string, PlannedEdge>>
}

export type Point = readonly [x: number, y: number]

export interface PlannedEdge {
  readonly points: readonly Point[]
  readonly joins?: readonly (readonly Point[])[]
  readonly labels?: readonly PlannedLabel[]
}

/**
 * Where a line of a label stands, and what is in it: `e` the names of the events (`e0-1`: the
 * first and the second of them), `g` the guard, `r` the rate.
 */
export type PlannedLabel = readonly [
  x: number, y: number, anchor: 'start' | 'middle' | 'end', what: string,
]

export const jobWide: Plan = {
  width: 964, height: 592, cornerRadius: 10,
  nodes: {
    start: [9, 281, 10, 10],
    queued: [68, 58, 240, 438],
    delayed: [98, 108, 194, 84], ready: [98, 242, 194, 88], blocked: [98, 380, 194, 84],
    running: [440, 228, 184, 116], cancelling: [440, 394, 184, 96],
    failed: [756, 82, 172, 96], completed: [756, 238, 172, 96], cancelled: [756, 394, 172, 96],
  },
  edges: {
    'start-queued-add': {
      points: [[19, 286], [68, 286]], labels: [[37, 274, 'middle', 'e'], [37, 307, 'middle', 'r']],
    },
    'delayed-ready-due': { points: [[195, 192], [195, 242]], labels: [[206, 221, 'start', 'er']] },
    'blocked-ready-unblock': {
      points: [[195, 380], [195, 330]],
      labels: [[206, 352, 'start', 'er'], [206, 367, 'start', 'g']],
    },
    'blocked-delayed-unblock': {
      points: [[98, 422], [83, 422], [83, 150], [98, 150]],
      labels: [[92, 214, 'start', 'er'], [92, 229, 'start', 'g']],
    },
    'blocked-blocked-countParents': {
      points: [[250, 464], [250, 480], [276, 480], [276, 464]],
      labels: [[242, 482, 'end', 'er']],
    },
    'ready-running-claim': {
      points: [[292, 280], [440, 280]], labels: [[374, 266, 'middle', 'er']],
    },
    'running-ready-stall': {
      points: [[440, 314], [292, 314]],
      labels: [[374, 332, 'middle', 'e'], [374, 347, 'middle', 'r']],
    },
    'running-delayed-fail': {
      points: [[554, 228], [554, 132], [292, 132]], labels: [[430, 123, 'middle', 'egr']],
    },
    'running-delayed-snooze': {
      points: [[514, 228], [514, 174], [292, 174]], labels: [[410, 165, 'middle', 'er']],
    },
    'running-failed-fail': {
      points: [[594, 228], [594, 130], [756, 130]],
      labels: [[678, 120, 'middle', 'e'], [678, 148, 'middle', 'gr']],
    },
    'running-completed-complete': {
      points: [[624, 280], [756, 280]], labels: [[690, 266, 'middle', 'er']],
    },
    'running-cancelling-cancel': {
      points: [[554, 344], [554, 394]],
      labels: [[563, 373, 'start', 'e'], [563, 388, 'start', 'r']],
    },
    'running-running-progress': {
      points: [[460, 344], [460, 365], [490, 365], [490, 344]],
      labels: [[451, 372, 'end', 'er']],
    },
    'cancelling-cancelling-progress': {
      points: [[460, 490], [460, 508], [490, 508], [490, 490]],
      labels: [[499, 512, 'start', 'er']],
    },
    'cancelling-completed-complete': {
      points: [[624, 416], [648, 416], [648, 314], [756, 314]],
      labels: [[658, 370, 'start', 'er']],
    },
    'cancelling-cancelled-fail': {
      points: [[624, 446], [756, 446]],
      labels: [
        [690, 437, 'middle', 'e0-1'], [690, 464, 'middle', 'e2-3'], [690, 479, 'middle', 'e4-5'],
        [690, 494, 'middle', 'r'],
      ],
    },
    'queued-cancelled-cancel': {
      points: [[188, 496], [188, 540], [842, 540], [842, 490]],
      labels: [[690, 531, 'middle', 'er']],
    },
    'queued-failed-expire': {
      points: [[188, 58], [188, 28], [842, 28], [842, 82]], labels: [[515, 19, 'middle', 'er']],
    },
    'queued-queued-reschedule': {
      points: [[308, 410], [332, 410], [332, 444], [308, 444]],
      labels: [[341, 425, 'start', 'e'], [341, 440, 'start', 'r']],
    },
    'failed-queued-retry': {
      points: [[928, 130], [950, 130], [950, 574], [128, 574], [128, 496]],
      joins: [[[928, 442], [950, 442]]], labels: [[515, 565, 'middle', 'er']],
    },
  },
}

export const jobCompact: Plan = {
  width: 944, height: 352, cornerRadius: 10,
  nodes: {
    start: [6, 238, 10, 10],
    queued: [44, 40, 212, 252],
    delayed: [72, 76, 168, 46], ready: [72, 148, 168, 46], blocked: [72, 220, 168, 46],
    running: [404, 138, 172, 66], cancelling: [404, 252, 172, 46],
    failed: [740, 60, 164, 46], completed: [740, 148, 164, 46], cancelled: [740, 252, 164, 46],
  },
  edges: {
    'start-queued-add': { points: [[16, 243], [44, 243]], labels: [[26, 234, 'middle', 'e']] },
    'delayed-ready-due': { points: [[156, 122], [156, 148]], labels: [[165, 139, 'start', 'e']] },
    'blocked-ready-unblock': {
      points: [[156, 220], [156, 194]], labels: [[165, 211, 'start', 'e']],
    },
    'blocked-delayed-unblock': { points: [[72, 250], [59, 250], [59, 99], [72, 99]] },
    'blocked-blocked-countParents': {
      points: [[196, 266], [196, 279], [222, 279], [222, 266]], labels: [[188, 282, 'end', 'e']],
    },
    'ready-running-claim': {
      points: [[240, 165], [404, 165]], labels: [[330, 157, 'middle', 'e']],
    },
    'running-ready-stall': {
      points: [[404, 184], [240, 184]], labels: [[330, 198, 'middle', 'e']],
    },
    'running-delayed-fail': {
      points: [[510, 138], [510, 88], [240, 88]], labels: [[376, 80, 'middle', 'eg']],
    },
    'running-delayed-snooze': {
      points: [[470, 138], [470, 112], [240, 112]], labels: [[360, 105, 'middle', 'e']],
    },
    'running-failed-fail': {
      points: [[550, 138], [550, 83], [740, 83]],
      labels: [[648, 75, 'middle', 'e'], [648, 98, 'middle', 'g']],
    },
    'running-completed-complete': {
      points: [[576, 165], [740, 165]], labels: [[658, 157, 'middle', 'e']],
    },
    'running-cancelling-cancel': {
      points: [[510, 204], [510, 252]], labels: [[519, 232, 'start', 'e']],
    },
    'running-running-progress': {
      points: [[424, 204], [424, 222], [450, 222], [450, 204]], labels: [[415, 229, 'end', 'e']],
    },
    'cancelling-cancelling-progress': {
      points: [[424, 298], [424, 308], [450, 308], [450, 298]], labels: [],
    },
    'cancelling-completed-complete': {
      points: [[576, 262], [600, 262], [600, 182], [740, 182]], labels: [[609, 225, 'start', 'e']],
    },
    'cancelling-cancelled-fail': { points: [[576, 281], [740, 281]] },
    'queued-cancelled-cancel': {
      points: [[150, 292], [150, 318], [822, 318], [822, 298]], labels: [[650, 311, 'middle', 'e']],
    },
    'queued-failed-expire': {
      points: [[150, 40], [150, 22], [822, 22], [822, 60]], labels: [[486, 16, 'middle', 'e']],
    },
    'queued-queued-reschedule': {
      points: [[256, 226], [276, 226], [276, 252], [256, 252]], labels: [[284, 243, 'start', 'e']],
    },
    'failed-queued-retry': {
      points: [[904, 83], [926, 83], [926, 342], [92, 342], [92, 292]],
      joins: [[[904, 275], [926, 275]]], labels: [[486, 335, 'middle', 'e']],
    },
  },
}

export const jobNarrow: Plan = {
  width: 344, height: 526, cornerRadius: 8,
  nodes: {
    start: [167, 4, 10, 10],
    queued: [18, 34, 308, 132],
    delayed: [34, 66, 84, 78], ready: [132, 66, 84, 78], blocked: [230, 66, 84, 78],
    running: [98, 236, 102, 84], cancelling: [214, 244, 100, 68],
    failed: [14, 412, 98, 76], completed: [122, 412, 104, 76], cancelled: [236, 412, 98, 76],
  },
  edges: {
    'start-queued-add': { points: [[172, 14], [172, 34]], labels: [[181, 24, 'start', 'er']] },
    'delayed-ready-due': { points: [[118, 100], [132, 100]] },
    'blocked-ready-unblock': { points: [[230, 100], [216, 100]] },
    'blocked-delayed-unblock': { points: [[246, 144], [246, 159], [76, 159], [76, 144]] },
    'blocked-blocked-countParents': {
      points: [[266, 144], [266, 155], [286, 155], [286, 144]],
    },
    'ready-running-claim': {
      points: [[170, 144], [170, 236]],
      labels: [[179, 194, 'start', 'e'], [179, 208, 'start', 'r']],
    },
    'running-ready-stall': { points: [[148, 236], [148, 144]] },
    'running-delayed-fail': {
      points: [[98, 262], [62, 262], [62, 144]],
      labels: [[34, 278, 'start', 'e0'], [34, 292, 'start', 'e1'], [34, 306, 'start', 'r']],
    },
    'running-delayed-snooze': {
      points: [[118, 236], [118, 191], [92, 191], [92, 144]], labels: [[100, 184, 'start', 'e']],
    },
    'running-failed-fail': {
      points: [[134, 320], [134, 358], [72, 358], [72, 412]],
      labels: [
        [80, 374, 'start', 'e0-1'], [80, 388, 'start', 'e2r'], [80, 402, 'start', 'g'],
      ],
    },
    'running-completed-complete': {
      points: [[186, 320], [186, 412]],
      labels: [[195, 344, 'start', 'e'], [195, 358, 'start', 'r']],
    },
    'running-cancelling-cancel': { points: [[200, 278], [214, 278]] },
    'running-running-progress': {
      points: [[180, 236], [180, 222], [194, 222], [194, 236]], labels: [[203, 230, 'start', 'e']],
    },
    'cancelling-cancelling-progress': {
      points: [[230, 312], [230, 324], [250, 324], [250, 312]],
    },
    'cancelling-completed-complete': {
      points: [[268, 312], [268, 372], [210, 372], [210, 412]],
    },
    'cancelling-cancelled-fail': {
      points: [[294, 312], [294, 412]], labels: [[286, 396, 'end', 'r']],
    },
    'queued-cancelled-cancel': {
      points: [[322, 166], [322, 412]], labels: [[314, 188, 'end', 'er']],
    },
    'queued-failed-expire': {
      points: [[26, 166], [26, 412]],
      labels: [[34, 336, 'start', 'e0r'], [34, 350, 'start', 'e1']],
    },
    'queued-queued-reschedule': { points: [[326, 60], [337, 60], [337, 84], [326, 84]] },
    'failed-queued-retry': {
      points: [[64, 488], [64, 504], [8, 504], [8, 100], [18, 100]],
      joins: [[[285, 488], [285, 504], [40, 504]]], labels: [[172, 520, 'middle', 'er']],
    },
  },
}
