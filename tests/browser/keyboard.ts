import type { Page } from 'playwright-core'
import { expect } from 'vitest'

// What has the focus, as its label or its text says it, and whether one sees that it has.
const focus = `(() => {
  const element = document.activeElement
  const { outlineStyle, outlineWidth } = getComputedStyle(element)
  const name = element.labels?.[0]?.textContent ?? element.textContent
  return { name: name.trim(), isVisible: outlineStyle === 'solid' && parseFloat(outlineWidth) >= 2 }
})()`

/** What has the focus, which must be seen. */
export async function focused(page: Page): Promise<string> {
  const { name, isVisible } = (await page.evaluate(focus)) as { name: string; isVisible: boolean }
  expect([name, isVisible]).toEqual([name, true])
  return name
}

/** Goes on to what has this name. */
export async function tabTo(page: Page, name: string): Promise<void> {
  for (let i = 0; (await focused(page)) !== name; i++) {
    expect(i, `there is no "${name}"`).toBeLessThan(20)
    await page.keyboard.press('Tab')
  }
}
