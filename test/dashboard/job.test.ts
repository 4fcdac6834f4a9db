import type { Page } from 'playwright-core'
import type { Job } from 'troupe'
import { expect, test } from 'vitest'
import { describeInBrowser } from '../browser/chromium.ts'
import { expectSound } from './page-checks.ts'
import { useTheatre } from './theatre.ts'

const theatre = useTheatre()

/** Fails once, then reports and hangs; with a parent before it and a child behind it. */
async function stage(): Promise<void> {
  const prints = theatre.troupe.queue('prints', {
    defaults: { retries: 2, backoff: 1 },
    tasks: {
      plate: () => null,
      print: async (job: Job<unknown>) => {
        job.log(`attempt ${job.attempt}`)
        if (job.attempt === 1) {
          throw new TypeError('no ink', { cause: new Error('the bottle is empty') })
        }
        job.progress({ current: 1, total: 4, message: 'first sheet' })
        await new Promise((_resolve, reject) => {
          job.signal.addEventListener('abort', () => { reject(job.signal.reason as Error) })
        })
      },
    },
  })
  await theatre.troupe.start()
  const plate = await prints.add('plate', undefined, { id: 'plate' })
  await plate.result()
  const print = await prints.add('print', { pages: [1, 2], apiKey: 'hidden' }, {
    id: 'print', label: 'the poster', dependsOn: ['plate'],
  })
  await prints.add('plate', undefined, { id: 'frame', dependsOn: ['print'] })
  for await (const progress of toAsync(print.progress$)) if (progress) return
}

async function* toAsync<T>(
  source: { subscribe(next: (value: T) => void): { unsubscribe(): void } },
): AsyncGenerator<T> {
  let take = (_value: T): void => undefined
  const first = new Promise<T>((resolve) => { take = resolve })
  const subscription = source.subscribe((value) => { take(value) })
  try {
    yield await first
  } finally {
    subscription.unsubscribe()
  }
}

async function events(page: Page): Promise<readonly string[]> {
  return page.locator('.steps .ev').allInnerTexts()
}

describeInBrowser('a job', ({ open, errors }) => {
  test('shows its path, its attempts and what holds it', async () => {
    await stage()
    const page = await open(await theatre.raise())
    await page.goto(`${theatre.url}/#/jobs/prints/print`)
    await expect.poll(() => events(page))
      .toEqual(['add', 'claim', 'fail', 'due', 'claim', 'progress'])
    const path = page.getByRole('group', { name: 'Path of the job' })
    await path.getByRole('img', { name: /^running, here/ }).waitFor()
    await path.getByRole('img', { name: 'transitions 2, 5' }).waitFor()
    await path.getByRole('img', { name: 'completed, not reached' }).waitFor()
    await page.getByText(/It runs on stage, attempt 2/).waitFor()
    await page.getByRole('progressbar', { name: 'Progress' }).waitFor()
    await page.getByText('caused by Error the bottle is empty').waitFor()
    expect(await page.locator('.tl .lead').allInnerTexts()).toEqual(['Attempt 1', 'Attempt 2'])
    expect(await page.locator('.log .line').allInnerTexts()).toEqual(['attempt 1', 'attempt 2'])
    await page.getByRole('group', { name: 'Input' }).getByText('redacted').waitFor()
    await page.getByRole('list', { name: 'Depends on' }).getByText('completed').waitFor()
    await page.getByRole('list', { name: 'Needed by' }).getByText('blocked').waitFor()
    expect(errors).toEqual([])
  })

  test('is stepped through with two keys', async () => {
    await stage()
    const page = await open(await theatre.raise())
    await page.goto(`${theatre.url}/#/jobs/prints/print`)
    await expect.poll(() => events(page)).toHaveLength(6)
    for (const key of ['[', '[', '[']) await page.keyboard.press(key)
    await page.getByText('as it was at transition 3').waitFor()
    await page.getByRole('img', { name: /^delayed, here/ }).waitFor()
    const changes = page.locator('.diff')
    expect(await changes.innerText()).toMatch(/state\s+running\s*→\s*queued\.delayed/)
    expect(await changes.innerText()).toMatch(/error\s+none\s*→\s*TypeError: no ink/)
    await page.keyboard.press(']')
    await page.getByRole('img', { name: /^ready, here/ }).waitFor()
    await page.keyboard.press('l')
    await page.getByRole('img', { name: /^running, here/ }).waitFor()
  })

  test('has the buttons that fit its state, and moves while one looks', async () => {
    await stage()
    const page = await open(await theatre.raise())
    await page.goto(`${theatre.url}/#/jobs/prints/print`)
    await page.getByRole('button', { name: 'Cancel…' }).click()
    await page.getByRole('textbox', { name: /Reason/ }).fill('wrong paper')
    await page.keyboard.press('Enter')
    await page.getByText('The job was told to end').waitFor()
    await page.getByRole('img', { name: /^cancelled, here/ }).waitFor()
    await page.getByText(/It was cancelled at .*wrong paper/).waitFor()
    await expect.poll(() => page.locator('.actions .btn').allInnerTexts())
      .toEqual(['Retry', 'Remove…'])
    await page.getByRole('button', { name: 'Retry' }).click()
    await page.getByRole('img', { name: /^running, here/ }).waitFor()
    await page.getByRole('button', { name: 'All lives' }).waitFor()
  })

  test('is told again after the gateway was away', async () => {
    await stage()
    const page = await open(await theatre.raise())
    await page.goto(`${theatre.url}/#/jobs/prints/print`)
    await expect.poll(() => events(page)).toHaveLength(6)
    await theatre.drop()
    await page.getByText('Reconnecting').waitFor()
    await theatre.troupe.queue('prints').cancel('print')
    await theatre.raiseAgain()
    await expect.poll(() => events(page), { timeout: 12_000 }).toHaveLength(8)
    await expect.poll(() => page.getByText('Reconnecting').count(), { timeout: 8000 }).toBe(0)
  })

  test('that fails with as much as is kept stays readable; one that is gone says so', async () => {
    const text = `${'fail <b>loudly</b> \u202e'.repeat(4000)}end`
    await theatre.troupe.start()
    const handle = await theatre.images.add('fail', { text }, { id: 'loud' })
    await handle.result().catch(() => undefined)
    const page = await open(await theatre.raise({ stacks: true }), {
      viewport: { width: 1000, height: 800 },
    })
    await page.goto(`${theatre.url}/#/jobs/images/loud`)
    await page.getByRole('heading', { name: 'Error of attempt 1' }).waitFor()
    expect(await page.locator('.err b').first().innerText()).toBe('Error')
    const across = await page.evaluate<number>('document.documentElement.scrollWidth')
    expect(across).toBeLessThanOrEqual(1000)
    await theatre.images.remove('loud')
    await page.getByText('It was removed from the store').waitFor()
    expect(await page.locator('.actions').count()).toBe(0)
    await page.goto(`${theatre.url}/#/jobs/images/never-there`)
    await page.getByRole('heading', { name: 'There is no such job' }).waitFor()
  })

  test('is sound in both themes, wide and narrow', async () => {
    await stage()
    const page = await open(await theatre.raise())
    await page.goto(`${theatre.url}/#/jobs/prints/print`)
    await expect.poll(() => events(page)).toHaveLength(6)
    await page.getByRole('list', { name: 'Needed by' }).waitFor()
    await expectSound(page)
  })
})
