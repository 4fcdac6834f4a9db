import { expect, test } from 'vitest'
import { parseLine, transferVersion } from '../../src/cli/transfer-lines.ts'
import type { JobError } from '../../machines/vocabulary.ts'
import type { JobRecord } from '../../src/records/job.ts'
import { toLogEntry } from '../../src/records/transition.ts'
import { done, leaves, policy, recordIn } from '../../src/testing/records.ts'

const cause: JobError = {
  name: 'Error', message: 'deeper', code: 'E', stack: 'at', truncated: true,
}
const full: Partial<JobRecord> = {
  error: { name: 'Error', message: 'boom', cause }, policy, progress: done,
  log: { lines: [{ at: 1, attempt: 1, text: 'a line' }], dropped: 1 }, parentKeys: ['a', null],
  dependsOn: ['a', 'b'], dedupe: { key: 'k', until: 5 }, trace: 'trace', options: { retries: 1 },
}
const { cursor: _, ...entry } = toLogEntry(recordIn('failed', full), 'fail', 'running', 5, 'w1')

function job(patch: object): string {
  return JSON.stringify({ type: 'job', job: { ...recordIn('completed', full), ...patch } })
}
function transition(patch: object): string {
  return JSON.stringify({ type: 'transition', transition: { ...entry, ...patch } })
}
const head = { type: 'troupe-export', version: transferVersion, from: 'a test' }

test('what an export writes is read as it is', () => {
  const lines = [
    ...leaves.map((leaf) => ({ type: 'job', job: recordIn(leaf) })),
    { type: 'job', job: recordIn('failed', full) }, { type: 'transition', transition: entry },
    { type: 'end', jobs: 1, transitions: 1 },
  ]
  expect(parseLine(JSON.stringify(head), 1)).toEqual(head)
  for (const line of lines) expect(parseLine(JSON.stringify(line), 2)).toEqual(line)
})

test.each([
  ['{', /line 2 is no line of an export: .*JSON/],
  ['3', 'a second head'],
  ['{"type":"other"}', 'its type is "other"'],
  ['{"type":"job"}', 'it has no job'],
  ['{"type":"transition","transition":[]}', 'it has no transition'],
  [job({ id: '' }), 'job.id is missing or makes no sense'],
  [job({ queue: 'a\u0001' }), 'job.queue'],
  [job({ state: 'done' }), 'job.state'],
  [job({ result: undefined }), 'job.result is missing'],
  [job({ rev: 1.5 }), 'job.rev'],
  [job({ fence: 2 ** 53 }), 'job.fence'],
  [job({ attempt: -1 }), 'job.attempt'],
  [job({ priority: 5000 }), 'job.priority'],
  [job({ createdAt: 1e300 }), 'job.createdAt'],
  // What a settled job cannot have.
  [job({ settledAt: null }), 'job.settledAt'],
  [job({ lease: { worker: 'w', until: 1 } }), 'job.lease'],
  [job({ phase: 'ready' }), 'job.phase'],
  [job({ expiresAt: 5 }), 'job.expiresAt'],
  [job({ dependsOn: Array.from({ length: 1001 }, () => 'a') }), 'job.dependsOn'],
  [job({ timeline: Array.from({ length: 41 }, () => recordIn('ready').timeline[0]) }),
    'job.timeline'],
  [job({ timeline: [{ at: 1, event: 'dance', to: 'running', attempt: 1, by: 'x' }] }),
    'job.timeline'],
  [job({ error: { name: 'Error', message: 'x', cause: { name: 1, message: '' } } }), 'job.error'],
  [job({ policy: { ...policy, backoff: { type: 'fixed' } } }), 'job.policy'],
  [job({ options: { retries: 'many' } }), 'job.options'],
  [job({ dedupe: { key: 'k' } }), 'job.dedupe'],
  [job({ meta: { a: ['\0'] } }), 'job.meta.a[0]: a NUL character'],
  [job({ input: JSON.parse('['.repeat(300) + ']'.repeat(300)) }), 'levels deep'],
  [job({ extra: 1 }), 'job.extra is missing or makes no sense'],
  [transition({ at: 'now' }), 'transition.at'],
  [transition({ jobId: undefined }), 'transition.jobId'],
  [transition({ event: 'toString' }), 'transition.event'],
  [transition({ from: 'ready' }), 'transition.from'],
  [transition({ progress: { current: 1 } }), 'transition.progress'],
  [transition({ reason: '\ud800' }), 'transition.reason'],
])('%.70s is refused', (line, why) => {
  expect(() => parseLine(line, 2)).toThrow(why)
  expect(() => parseLine(line, 2)).toThrow('line 2 is no line of an export: ')
})
