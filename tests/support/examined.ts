import { afterAll } from 'vitest'
import { authConfig } from '../../auth.config.ts'
import type { Finding } from '../../src/doctor/finding.ts'
import { examineService } from '../../src/run-doctor.ts'
import { type FrontProxy, type Habits, startFrontProxy } from './front-proxy.ts'
import { startServiceForFile, type TestService } from './harness.ts'

/** What the doctor finds of a service, by check. */
export async function examined({ services }: TestService): Promise<Record<string, Finding>> {
  return byCheck(await examineService(services, authConfig))
}

/** Findings by what was looked at; where a check finds several, the last. */
export function byCheck(findings: readonly Finding[]): Record<string, Finding> {
  return Object.fromEntries(findings.map((finding) => [finding.check, finding]))
}

/** A service whose public URL is that of a proxy before it, until the tests of the file end. */
export async function startBehind(
  habits: Habits,
  env: Record<string, string> = {},
): Promise<{ service: TestService; proxy: FrontProxy }> {
  const proxy = await startFrontProxy(habits, undefined, afterAll)
  const service = await startServiceForFile({ env: { BETTER_AUTH_URL: proxy.url, ...env } })
  proxy.target = service.url
  return { service, proxy }
}
