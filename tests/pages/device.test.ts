import { expect, test } from 'vitest'
import { deviceOf } from '../../src/pages/device.ts'

const chrome = '(KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36'

test.each([
  [`Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 ${chrome}`, 'Chrome on Linux'],
  ['Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0', 'Firefox on Windows'],
  ['curl/8.5.0', 'curl/8.5.0'],
  [`x${'y'.repeat(300)}`, `x${'y'.repeat(59)}`],
  ['', 'Unknown device'],
  [null, 'Unknown device'],
])('%s is %s', (userAgent, device) => {
  expect(deviceOf(userAgent)).toBe(device)
})
