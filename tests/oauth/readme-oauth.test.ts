import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { startServiceForFile } from '../support/harness.ts'
import { codesIn } from '../support/readme.ts'
import { allow, registerClient } from '../support/relying-party.ts'
import { freePort } from '../support/throwaway-postgres.ts'
import { createVisitor } from '../support/visitor.ts'

const service = await startServiceForFile()
const [weather = '', machine = ''] = codesIn('Sign people in from your application', 'js')

/** Saves a program of the README where it finds the libraries of this project. */
function saved(name: string, code: string): string {
  const path = resolve('node_modules', `.${name}-${process.pid}.mjs`)
  writeFileSync(path, code)
  onTestFinished(() => rmSync(path))
  return path
}

const environment = ({ id, secret }: { id: string; secret: string | null }, more = {}) => ({
  PATH: process.env['PATH'],
  ISSUER: `${service.baseUrl}/api/auth`,
  CLIENT_ID: id,
  CLIENT_SECRET: secret ?? '',
  ...more,
})

test('the application of the README signs somebody in and greets them', async () => {
  expect(weather.trimEnd().split('\n').length).toBeLessThanOrEqual(40)
  const port = await freePort()
  const home = `http://localhost:${port}`
  const client = await registerClient(service, { redirectUris: [`${home}/callback`] })
  const env = environment(client, { PORT: String(port) })
  const program = spawn(process.execPath, [saved('weather', weather)], { env, stdio: 'inherit' })
  onTestFinished(async () => {
    program.kill()
    await once(program, 'exit')
  })
  const user = await service.createSignedIn()

  const sent = await started(home)
  const callback = await allow(createVisitor(service, user.cookie), {
    url: new URL(sent.headers.get('location') ?? ''),
  })

  expect(await (await fetch(callback)).text()).toBe('Hello Test User')
})

test('the machine of the README lists users', async () => {
  const user = await service.createUser()
  const client = await registerClient(service, { redirectUris: [], clientCredentialsScopes: ['users:read'] })

  const { stdout } = await promisify(execFile)(process.execPath, [saved('machine', machine)], {
    env: environment(client),
  })

  expect(stdout.split('\n')).toContain(user.email)
})

/** The first answer of a program that is starting. */
async function started(url: string): Promise<Response> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await fetch(url, { redirect: 'manual' })
    } catch (error) {
      if (attempt === 200) throw error
      await new Promise((done) => setTimeout(done, 100))
    }
  }
}
