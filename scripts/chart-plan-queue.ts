import type { Plan } from './chart-plan.ts'

export const queueWide: Plan = {
  width: 864, height: 484, cornerRadius: 10,
  nodes: {
    start: [9, 175, 10, 10],
    idle: [78, 144, 150, 72], accepting: [340, 56, 170, 72], paused: [340, 232, 170, 72],
    draining: [640, 144, 170, 72], stopping: [340, 392, 170, 72], stopped: [640, 392, 170, 72],
  },
  edges: {
    'start-idle-declare': { points: [[19, 180], [78, 180]], labels: [[48, 170, 'middle', 'e']] },
    'idle-accepting-start': {
      points: [[153, 144], [153, 92], [340, 92]], labels: [[248, 83, 'middle', 'eg']],
    },
    'idle-paused-start': {
      points: [[153, 216], [153, 268], [340, 268]], labels: [[234, 259, 'middle', 'eg']],
    },
    'accepting-paused-pause': {
      points: [[400, 128], [400, 232]], labels: [[391, 184, 'end', 'e']],
    },
    'paused-accepting-resume': {
      points: [[450, 232], [450, 128]], labels: [[459, 184, 'start', 'e']],
    },
    'accepting-draining-drain': {
      points: [[510, 78], [760, 78], [760, 144]], labels: [[635, 69, 'middle', 'e']],
    },
    'draining-accepting-resume': {
      points: [[690, 144], [690, 108], [510, 108]], labels: [[600, 124, 'middle', 'e']],
    },
    'draining-paused-emptied': {
      points: [[690, 216], [690, 254], [510, 254]], labels: [[600, 245, 'middle', 'e']],
    },
    'paused-draining-drain': {
      points: [[510, 284], [760, 284], [760, 216]], labels: [[635, 300, 'middle', 'e']],
    },
    'idle-stopping-stop': {
      points: [[103, 216], [103, 348], [425, 348], [425, 392]],
      joins: [
        [[340, 110], [316, 110], [316, 348]], [[425, 304], [425, 366]],
        [[810, 180], [840, 180], [840, 348], [425, 348], [425, 366]],
      ],
      labels: [[206, 339, 'middle', 'e']],
    },
    'stopping-stopped-emptied': {
      points: [[510, 428], [640, 428]], labels: [[575, 419, 'middle', 'e']],
    },
  },
}

export const queueNarrow: Plan = {
  width: 344, height: 580, cornerRadius: 8,
  nodes: {
    start: [167, 4, 10, 10],
    idle: [112, 42, 120, 48], accepting: [18, 162, 130, 56], paused: [196, 162, 130, 56],
    draining: [112, 302, 120, 56], stopping: [112, 432, 120, 48], stopped: [112, 524, 120, 48],
  },
  edges: {
    'start-idle-declare': { points: [[172, 14], [172, 42]], labels: [[181, 30, 'start', 'e']] },
    'idle-accepting-start': {
      points: [[136, 90], [136, 122], [83, 122], [83, 162]], labels: [[72, 114, 'middle', 'eg']],
    },
    'idle-paused-start': {
      points: [[208, 90], [208, 122], [261, 122], [261, 162]], labels: [[272, 114, 'middle', 'eg']],
    },
    'accepting-paused-pause': {
      points: [[148, 180], [196, 180]], labels: [[172, 172, 'middle', 'e']],
    },
    'paused-accepting-resume': {
      points: [[196, 202], [148, 202]], labels: [[172, 217, 'middle', 'e']],
    },
    'accepting-draining-drain': {
      points: [[60, 218], [60, 342], [112, 342]], labels: [[68, 290, 'start', 'e']],
    },
    'draining-accepting-resume': {
      points: [[128, 302], [128, 262], [100, 262], [100, 218]], labels: [[136, 258, 'start', 'e']],
    },
    'draining-paused-emptied': {
      points: [[216, 302], [216, 262], [244, 262], [244, 218]], labels: [[208, 294, 'end', 'e']],
    },
    'paused-draining-drain': {
      points: [[284, 218], [284, 342], [232, 342]], labels: [[276, 290, 'end', 'e']],
    },
    'idle-stopping-stop': {
      points: [[112, 66], [8, 66], [8, 396], [172, 396], [172, 432]],
      joins: [
        [[30, 218], [30, 396]], [[314, 218], [314, 396], [172, 396], [172, 412]],
        [[172, 358], [172, 412]],
      ],
      labels: [[181, 416, 'start', 'e']],
    },
    'stopping-stopped-emptied': {
      points: [[172, 480], [172, 524]], labels: [[181, 506, 'start', 'e']],
    },
  },
}
