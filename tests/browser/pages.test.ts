import { describe, expect, test } from 'vitest'
import { problemTypes } from '../../src/http/problem.ts'
import { startServiceForFile } from '../harness.ts'
import { startChromium } from './chromium.ts'

const service = await startServiceForFile()
const chromium = await startChromium()

const sizes = { phone: { width: 320, height: 640 }, desktop: { width: 1280, height: 800 } }
const cases = (['light', 'dark'] as const).flatMap((colorScheme) =>
  (['phone', 'desktop'] as const).map((size) => ({ colorScheme, size })),
)

describe.each(cases)('on a $size in $colorScheme', ({ colorScheme, size }) => {
  test('the page of a problem fits, can be read, and loads without fault', async () => {
    const { page, ...watched } = await chromium.open(service.baseUrl, '/problems/insufficient-scope', {
      colorScheme,
      viewport: sizes[size],
    })
    await chromium.screenshot(page, `problem-${size}-${colorScheme}`)

    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('Insufficient scope')
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
    expect(await page.evaluate(lowestContrast)).toBeGreaterThan(4.5)
    expect(watched).toEqual({ errors: [], violations: [], strays: [] })
  })
})

test('every problem has a page no wider than a narrow phone', async () => {
  const { page } = await chromium.open(service.baseUrl, '/problems/internal', { viewport: sizes.phone })
  const wide: string[] = []
  for (const slug of Object.keys(problemTypes)) {
    const response = await page.goto(`${service.baseUrl}/problems/${slug}`)
    const fits = await page.evaluate('document.documentElement.scrollWidth <= innerWidth')
    if (response?.status() !== 200 || fits !== true) wide.push(slug)
  }
  expect(wide).toEqual([])
})

// The contrast of the text that stands out least. @see WCAG 2.2, 1.4.3
const lowestContrast = `(() => {
  const canvas = document.createElement('canvas').getContext('2d')
  const luminance = (color) => {
    canvas.fillStyle = color
    canvas.fillRect(0, 0, 1, 1)
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((byte) => byte / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r + 0.7152 * g + 0.0722 * b
  }
  const surface = luminance(getComputedStyle(document.body).backgroundColor)
  return Math.min(...[...document.querySelectorAll('p, h1, code, a')].map((element) => {
    const text = luminance(getComputedStyle(element).color)
    return (Math.max(text, surface) + 0.05) / (Math.min(text, surface) + 0.05)
  }))
})()`
