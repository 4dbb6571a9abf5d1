import type { BrowserContext } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'

/** What may happen in a browser that would be a fault elsewhere. */
export interface Allowance {
  /** Other origins that it may ask for something: applications, and providers. */
  origins?: readonly string[] | undefined
  /** Such of which the pages do as they like. */
  strangers?: readonly string[] | undefined
  /** Parts of the faults that must happen: of their text, as `error: …`, `violation: …` or `request: …`. */
  faults?: readonly string[] | undefined
}

/**
 * Watches a browser until the test ends, which fails if any page of it had an error in the console or one that nobody
 * caught, did what the content security policy refuses, or asked another origin for something.
 */
export async function watch(
  context: BrowserContext,
  origin: string,
  { origins = [], strangers = [], faults: expected = [] }: Allowance,
): Promise<void> {
  const faults = new Set<string>()
  const seen = new Set<string>()
  const isStrange = (url = '') => strangers.includes(originOf(url))
  context.on('console', (message) => {
    const isTheirs = isStrange(message.page()?.url()) || isStrange(message.location().url)
    if (message.type() === 'error' && !isTheirs) faults.add(`error: ${message.text()}`)
  })
  context.on('weberror', (error) => faults.add(`error: ${error.error().message}`))
  context.on('request', (request) => {
    const to = originOf(request.url())
    seen.add(to)
    const isOwn = [origin, ...origins, ...strangers].includes(to) || /^(data|blob):/.test(request.url())
    const isTheirs = !request.isNavigationRequest() && isStrange(request.frame().url())
    if (!isOwn && !isTheirs) faults.add(`request: ${request.url()}`)
  })
  await context.exposeFunction('reportViolation', (violation: string) => faults.add(`violation: ${violation}`))
  await context.addInitScript(`document.addEventListener('securitypolicyviolation', (event) => {
    reportViolation(event.effectiveDirective + ' ' + event.blockedURI)
  })`)

  onTestFinished(async () => {
    // All that happened before is told before this is answered.
    await Promise.all(context.pages().map((page) => page.evaluate('0')))
    await context.close()
    const all = [...faults]
    expect(seen, 'nothing was watched').toContain(origin)
    expect({
      unexpected: all.filter((fault) => !expected.some((part) => fault.includes(part))),
      missing: expected.filter((part) => !all.some((fault) => fault.includes(part))),
    }).toEqual({ unexpected: [], missing: [] })
  })
}

function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : ''
}
