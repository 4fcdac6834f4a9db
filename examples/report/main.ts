import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { createTroupe } from 'troupe'
import type { Job } from 'troupe'
import { lowdbStore } from 'troupe/stores/lowdb'
import { educationOf, readSurvey, summarise } from './wages.ts'
import type { Line, Person } from './wages.ts'

const { values } = parseArgs({
  options: {
    data: { type: 'string', default: join(import.meta.dirname, 'data', 'jobs.json') },
    output: { type: 'string', default: join(import.meta.dirname, 'output', 'report.md') },
  },
})

const troupe = await createTroupe({ store: lowdbStore(values.data) })
const reports = troupe.queue('reports', {
  tasks: {
    /** What the schedule adds: it adds the graph of one report. */
    nightly: async (job: Job<undefined>): Promise<{ report: string }> => {
      // The same night twice, after a crash, finds the same jobs.
      const of = (name: string): string => `${name} of ${job.id}`
      const flow = await troupe.flow({
        ingest: reports.spec('ingest', undefined, { id: of('ingest'), retries: 2 }),
        education: reports.spec('education', undefined, { id: of('education') }),
        occupation: reports.spec('occupation', undefined, { id: of('occupation') }),
        aggregate: reports.spec('aggregate', undefined, { id: of('aggregate') }),
      }, {
        education: ['ingest'],
        occupation: ['ingest'],
        aggregate: ['education', 'occupation'],
      })
      return { report: flow.aggregate.id }
    },
    ingest: async (job: Job<undefined>) => {
      const people = await readSurvey(job.signal)
      job.log(`${people.length} people`)
      return people
    },
    education: (job: Job<undefined>) => summarise(resultOf<Person[]>(job, 'ingest'), educationOf),
    occupation: (job: Job<undefined>) =>
      summarise(resultOf<Person[]>(job, 'ingest'), ({ occupation }) => occupation),
    aggregate: async (job: Job<undefined>) => {
      const text = [
        '# Wages in the United States, May 1985', '',
        ...table('By education', resultOf<Line[]>(job, 'education')), '',
        ...table('By occupation', resultOf<Line[]>(job, 'occupation')), '',
      ].join('\n')
      await mkdir(dirname(values.output), { recursive: true })
      await writeFile(values.output, text, { signal: job.signal })
      return text
    },
  },
})

function resultOf<Result>(job: Job<undefined>, key: string): Result {
  const parent = job.parents.find((each) => each.key === key)
  if (!parent) throw new Error(`this job has no parent ${key}`)
  return parent.result as Result
}

function table(title: string, lines: readonly Line[]): string[] {
  const rows = lines.map(({ group, people, medianWage }) =>
    `| ${group} | ${people} | ${medianWage.toFixed(2)} |`)
  const head = ['| group | people | median wage, $ an hour |', '|---|---|---|']
  return [`## ${title}`, '', ...head, ...rows]
}

const answer = await reports.schedules.upsert('nightly', {
  cron: '30 2 * * *', timeZone: 'Europe/Berlin', task: 'nightly', overlap: 'skip', catchUp: 'one',
})
const nights = await reports.schedules.preview('nightly', 3)
console.log(`schedule nightly: ${answer}; next at`)
for (const at of nights) console.log(`  ${new Date(at).toISOString()}`)

reports.transitions$.subscribe(({ task, event, to, phase }) => {
  console.log(`${task.padEnd(10)} ${event.padEnd(12)} ${phase ?? to ?? 'removed'}`)
})
await troupe.start()
console.log('\none report now, without waiting for the night:')
const night = await reports.schedules.trigger('nightly')
const { report } = await reports.job<{ report: string }>(night.id).result()
const text = await reports.job<string>(report).result()
await troupe.stop()
console.log(`\n${text}\nwritten to ${values.output}`)
