import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import axe from 'axe-core'
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll } from 'vitest'
import type { SignedIn } from '../support/harness.ts'
import { type Allowance, watch } from './watch.ts'

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
const rules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
const screenshots = process.env['SCREENSHOTS'] ?? join(tmpdir(), 'latchkey-screenshots')

/** Chromium without connections of its own. */
export interface Chromium {
  /** Opens a page of an origin, in a profile of its own, and watches it until the test ends. */
  open: (origin: string, path: string, options?: OpenOptions) => Promise<Page>
  /** What of a page somebody with a disability cannot use, by the rules of axe for WCAG 2.2 AA. */
  barriers: (page: Page) => Promise<string[]>
  /** Keeps a picture of a page for people to look at. */
  screenshot: (page: Page, name: string, options?: { fullPage: boolean }) => Promise<void>
}

interface OpenOptions extends BrowserContextOptions, Allowance {
  /** Whose session cookie the browser has. */
  as?: SignedIn
}

/** Starts Chromium, with more arguments if need be, for one test file, and ends it after the last test. */
export async function startChromium(args: readonly string[] = []): Promise<Chromium> {
  if (!existsSync(executablePath)) {
    throw new Error(`There is no Chromium at ${executablePath}: install it, or set CHROMIUM to where it is`)
  }
  const browser = await chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      '--disable-quic',
      ...args,
    ],
  })
  afterAll(() => browser.close())
  await mkdir(screenshots, { recursive: true })

  return {
    async open(origin, path, { as, origins, strangers, faults, ...options } = {}) {
      const context = await browser.newContext(options)
      await watch(context, origin, { origins, strangers, faults })
      if (as) {
        const [name = '', value = ''] = as.cookie.split('=', 2)
        await context.addCookies([{ name, value, url: origin, httpOnly: true, sameSite: 'Lax' }])
      }
      const page = await context.newPage()
      await page.goto(`${origin}${path}`)
      return page
    },
    async barriers(page) {
      // Evaluated and not added as a script, which the policy of the page would refuse.
      await page.evaluate(axe.source)
      const found = (await page.evaluate(`axe.run(document, ${JSON.stringify({ runOnly: rules })})`)) as axe.AxeResults
      return found.violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`))
    },
    screenshot: async (page, name, options) => {
      await page.screenshot({ path: join(screenshots, `${name}.png`), ...options })
    },
  }
}
