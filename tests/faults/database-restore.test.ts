import { rmSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { expect, onTestFinished, test } from 'vitest'
import { runAdminCommand } from '../../src/admin/commands.ts'
import { createBareClient, good, over, useOf } from '../support/bare-client.ts'
import { copyFolder } from '../support/database-template.ts'
import { createTestDatabase, startService, type TestService } from '../support/harness.ts'
import { registerClient } from '../support/relying-party.ts'

const baseUrl = 'http://localhost:3997'

/** A service on a folder, with a public URL that stays the same. */
async function startIn(folder: string) {
  const database = { env: { DATA_DIR: folder }, remove: async () => {} }
  const service = await startService({ database, env: { DATABASE_URL: '', BETTER_AUTH_URL: baseUrl } })
  onTestFinished(() => service.stop())
  return service
}

test.skipIf(process.env['TEST_DATABASE_URL'])(
  'R-54 a restored backup revives what had ended since, until `end-sessions` (on the embedded database)',
  async () => {
    const { env, remove } = await createTestDatabase()
    onTestFinished(remove)
    const folder = env['DATA_DIR'] ?? ''
    const first = await startIn(folder)
    const ada = await first.createSignedIn()
    const application = await registerClient(first)
    const tokens = await createBareClient(first, application).tokensFor(ada)
    const registered = await registerClient(first, {
      redirectUris: [],
      scopes: [],
      clientCredentialsScopes: ['users:read'],
    })
    const machine = await createBareClient(first, registered).send('token', {
      grant_type: 'client_credentials',
      resource: `${baseUrl}/api/v1`,
    })
    const held: [string, object][] = [
      ['/api/v1/auth/me', { token: ada.token }],
      ['/api/v1/auth/me', { cookie: ada.cookie }],
      ['/api/v1/users', { token: String(machine.body['access_token']) }],
    ]
    const answers = (of: TestService) =>
      Promise.all(held.map(async ([path, credential]) => (await of.request(path, credential)).status))
    expect(await answers(first)).toEqual([200, 200, 200])
    await first.stop()
    const backup = copyFolder(folder)
    onTestFinished(() => rmSync(backup, { recursive: true }))

    const lost = await startIn(folder)
    await sql`delete from session`.execute(lost.db)
    expect(await answers(lost)).toEqual([401, 401, 200])
    await lost.stop()

    const restored = await startIn(backup)
    const client = createBareClient(restored, application)
    expect(await answers(restored)).toEqual([200, 200, 200])
    expect(await useOf(restored, client, tokens)).toEqual(good)
    await runAdminCommand(restored.services, { command: 'end-sessions' })
    expect(await answers(restored)).toEqual([401, 401, 401])
    expect(await useOf(restored, client, tokens)).toEqual(over)

    const again = await restored.signIn(ada)
    expect((await restored.request('/api/v1/auth/me', { token: again.token })).status).toBe(200)
    // Tokens of the very second die, too.
    await pause(1_000)
    expect(await useOf(restored, client, await client.tokensFor(again))).toEqual(good)
  },
)
