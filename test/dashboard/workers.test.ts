import { expect, test } from 'vitest'
import { describeInBrowser } from '../browser/chromium.ts'
import { expectSound } from './page-checks.ts'
import { useTheatre } from './theatre.ts'

const theatre = useTheatre()

describeInBrowser('the other screens', ({ open, errors }) => {
  test('tell who works, and what nobody works on', async () => {
    const left = theatre.troupe.queue('left')
    await left.addMany([{ task: 'any' }, { task: 'any' }] as never)
    const page = await open(await theatre.raise())
    await page.goto(`${theatre.url}/#/workers`)
    await page.getByRole('heading', { name: 'No worker is alive' }).waitFor()
    await page.getByText('2 jobs of left are ready, and no live worker').waitFor()
    await theatre.troupe.start()
    const row = page.getByRole('row', { name: /^stage/ })
    await row.getByText('resize, fail, hang').first().waitFor()
    await page.getByRole('link', { name: 'See them' }).click()
    await expect.poll(() => page.url()).toContain('#/jobs?queue=left&state=queued&phase=ready')
    expect(errors).toEqual([])
  })

  test('show schedules, and pause, run and preview them', async () => {
    const { schedules } = theatre.images
    await schedules.upsert('nightly', {
      cron: '0 3 * * *', timeZone: 'Europe/Berlin', task: 'resize',
    })
    await schedules.upsert('often', { every: '1h', task: 'resize' })
    const page = await open(await theatre.raise(), { timezoneId: 'Asia/Tokyo' })
    await page.goto(`${theatre.url}/#/schedules`)
    await page.getByText('Times of your zone, Asia/Tokyo').waitFor()
    await page.getByText('0 3 * * *, clock of Europe/Berlin').waitFor()
    await page.getByRole('button', { name: 'Preview the next runs of nightly' }).click()
    const dialog = page.getByRole('dialog')
    await expect.poll(() => dialog.getByRole('listitem').count()).toBe(12)
    expect((await dialog.getByRole('listitem').allInnerTexts())[3]).toMatch(/1[01]:00/)
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: 'Pause nightly' }).click()
    await page.getByText('when resumed').waitFor()
    expect((await schedules.get('nightly'))?.paused).toBe(true)
    await page.getByRole('button', { name: 'Run now: often' }).click()
    await page.getByRole('heading', { name: 'Transitions' }).waitFor()
    expect((await theatre.images.counts()).ready).toBe(1)
  })

  test('tell events as they come, and hold still when asked', async () => {
    const page = await open(await theatre.raise())
    await page.goto(`${theatre.url}/#/events`)
    await page.getByRole('heading', { name: 'Nothing has happened' }).waitFor()
    await expect.poll(async () => {
      await theatre.images.add('resize')
      return page.locator('.tail li').count()
    }).toBeGreaterThan(0)
    await page.keyboard.press('p')
    for (const newer of [/^Go on, [34] newer/, /^Go on, [67] newer/]) {
      for (let index = 0; index < 3; index += 1) await theatre.mail.add('resize')
      await page.getByRole('button', { name: newer }).waitFor()
    }
    expect(await page.getByRole('link', { name: /^mail/ }).count()).toBe(0)
    await page.keyboard.press('p')
    await page.getByRole('link', { name: /^mail/ }).first().waitFor()
    expect(errors).toEqual([])
  })

  test('let the doctor speak', async () => {
    const page = await open(await theatre.raise())
    await page.goto(`${theatre.url}/#/doctor`)
    await page.getByText('no worker is alive').waitFor()
    await page.getByText('Do: call await troupe.start() in a process with tasks').waitFor()
    await theatre.troupe.start()
    await page.getByRole('button', { name: 'Look again' }).click()
    await page.getByText('1 alive: stage').waitFor()
  })

  test('are sound in both themes, wide and narrow', async () => {
    await theatre.images.schedules.upsert('often', { every: '1h', task: 'resize' })
    await theatre.troupe.start()
    const page = await open(await theatre.raise())
    for (const name of ['workers', 'schedules', 'doctor', 'events']) {
      await page.goto(`${theatre.url}/#/${name}`)
      if (name === 'events') {
        await expect.poll(async () => {
          await theatre.images.add('resize')
          return page.locator('.tail li').count()
        }).toBeGreaterThan(0)
      } else await page.locator('.card tr, .findings li').first().waitFor()
      await expectSound(page)
    }
  })
})
