import { expect, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()

// A page may tell the next one where it is, unless that holds what nobody else may know.
test.each([
  ['/setup?token=x', 'no-referrer'],
  ['/reset-password?token=x', 'no-referrer'],
  ['/verify-email?next=%2Faccount&token=x', 'no-referrer'],
  ['/verify-email?change=x&email=a%40example.com', 'no-referrer'],
  ['/sign-in?next=%2Fverify-email%3Fchange%3Dx%26email%3Da', 'no-referrer'],
  ['/sign-in?next=/verify-email?email=a%26token%3Dx', 'no-referrer'],
  ['/nothing?x=1', 'no-referrer'],
  ['/sign-in?next=/account', 'same-origin'],
  ['/sign-up', 'same-origin'],
])('I-15 %s has the referrer policy %s, and loads nothing from elsewhere', async (path, policy) => {
  const response = await service.request(path, { headers: { accept: 'text/html' } })

  expect(response.headers.get('referrer-policy')).toBe(policy)
  const html = await response.text()
  const loaded = [...html.matchAll(/(?:src|srcset|href|action|poster|data)="([^"]*)"/g)].map(([, url = '']) => url)
  expect(loaded.filter((url) => new URL(url, service.baseUrl).origin !== service.baseUrl)).toEqual([])
  expect(response.headers.get('content-security-policy')).toMatch(/default-src 'none'/)
})
