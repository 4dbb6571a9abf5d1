import { describe, expect, test } from 'vitest'
import { authUrl, ownUrl } from '../support/document.ts'
import { startServiceForFile } from '../support/harness.ts'

const service = await startServiceForFile()
const { request } = service

describe('H-06 a page', () => {
  const pages = ['/sign-in', '/sign-up', '/error', '/consent', '/forgot-password', '/problems/internal']
  test.each([...pages, '/api/v1/docs', '/api/v1/docs/signed-in'])(
    '%s runs nothing that was put into it, and is framed by nobody',
    async (path) => {
      const response = await request(path, { headers: { accept: 'text/html' } })
      const policy = new Map(
        (response.headers.get('content-security-policy') ?? '')
          .split(';')
          .map((directive) => directive.trim().split(/\s+/))
          .map(([name = '', ...sources]) => [name, sources]),
      )
      const effective = (name: string) => policy.get(name) ?? policy.get('default-src')
      expect(effective('script-src')).not.toContain("'unsafe-inline'")
      expect(effective('script-src')).not.toContain("'unsafe-eval'")
      for (const name of ['frame-ancestors', 'base-uri']) expect([name, policy.get(name)]).toEqual([name, ["'none'"]])
      expect(effective('object-src')).toEqual(["'none'"])
      expect(JSON.stringify([...policy.values()])).not.toMatch(/https?:|\*/)

      const html = await response.text()
      expect(html).toMatch(/^<!doctype html>/i)
      // Nothing is loaded from elsewhere.
      expect(html).not.toMatch(/<(?:script|link|img|iframe)[^>]*\s(?:src|href)="(?:https?:)?\/\//i)
    },
  )

  test('of an error shows what it is told as text', async () => {
    const script = '<script>alert(1)</script>'
    for (const path of ['/error', '/api/auth/error']) {
      const query = new URLSearchParams({ error: script, error_description: script }).toString()
      const response = await fetch(`${service.url}${path}?${query}`, { headers: { accept: 'text/html' } })
      expect(await response.text()).not.toContain(script)
      expect(response.headers.get('content-security-policy')).toMatch(/default-src 'none'/)
    }
  })
})

// There is no setting that takes the reference away.
describe('H-11 the reference', () => {
  test.each([ownUrl, authUrl, '/api/v1/docs'])(
    '%s names no host but the public one, and holds no secret',
    async (path) => {
      const content = await (await request(path)).text()
      const hosts = [...content.matchAll(/https?:\/\/([\w.:-]+)/g)].map(([, host]) => host)
      const known = /^(localhost:\d+|opensource\.org|.*\bexample(\.com|\.org)?|www\.w3\.org|json-schema\.org)$/
      expect(hosts.filter((host) => !known.test(host ?? ''))).toEqual([])
      expect(content).not.toContain(String(service.env['BETTER_AUTH_SECRET']))
      expect(content).not.toMatch(/postgres(ql)?:\/\/|127\.0\.0\.1/)
    },
  )
})
