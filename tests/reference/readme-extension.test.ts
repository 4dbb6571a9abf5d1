import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createTestDatabase, secret } from '../support/harness.ts'
import { codeIn, section } from '../support/readme.ts'
import { startProcess } from '../support/service-process.ts'
import { freePort } from '../support/throwaway-postgres.ts'

/** The sources with the slice of the README in them, which tells everybody their own id; built. */
function buildExtended(): string {
  const root = mkdtempSync(join(tmpdir(), 'latchkey-extended-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'))
  for (const name of ['src', 'migrations', 'auth.config.ts', 'package.json', 'tsconfig.json', 'tsconfig.build.json'])
    cpSync(name, join(root, name), { recursive: true })
  const add = (path: string, text: string) => writeFileSync(join(root, 'src', path), text)
  mkdirSync(join(root, 'src/notes'))
  add('notes/notes.routes.ts', codeIn('Extend it', 'ts'))
  add(
    'notes/notes.queries.ts',
    `import { sql } from 'kysely'
    import type { Db } from '../db/database.ts'
    export const listNotes = async (db: Db, owner: string) =>
      (await sql<{ id: string; text: string }>\`select \${owner}::text as id, 'mine' as text\`.execute(db)).rows`,
  )
  const [, mount = ''] = /`(api\.route\('\/', notesRoutes\([^`]+)`/.exec(section('Extend it')) ?? []
  const app = readFileSync('src/app.ts', 'utf8')
  const [line = ''] = /^ +api\.route\('\/', grantsRoutes.*\n/m.exec(app) ?? []
  add('app.ts', `import { notesRoutes } from './notes/notes.routes.ts'\n${app.replace(line, `${line}${mount}\n`)}`)
  execFileSync('node_modules/.bin/tsc', ['-p', join(root, 'tsconfig.build.json')], { stdio: 'inherit' })
  execFileSync(process.execPath, [join(root, 'dist/src/reference/copy-assets.js')], { stdio: 'inherit' })
  return root
}

test('the slice of the README compiles, answers everybody for themselves, and is in the reference', async () => {
  const root = buildExtended()
  const { env, remove } = await createTestDatabase()
  onTestFinished(remove)
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const own = { PORT: String(port), HOST: '127.0.0.1', BETTER_AUTH_URL: url, BETTER_AUTH_SECRET: secret }
  await startProcess(root, { ...own, RATE_LIMIT: '0', ...env }).ready()

  const notes = []
  for (const name of ['ada', 'bob']) {
    const json = { email: `${name}@example.com`, name, password: 'correct horse battery' }
    const headers = { 'content-type': 'application/json', origin: url }
    const signedUp = await fetch(`${url}/api/auth/sign-up/email`, {
      method: 'POST',
      headers,
      body: JSON.stringify(json),
    })
    const cookie = signedUp.headers
      .getSetCookie()
      .map((set) => set.split(';')[0])
      .join('; ')
    const { user } = (await signedUp.json()) as { user: { id: string } }
    const token = ((await (await fetch(`${url}/api/auth/token`, { headers: { cookie } })).json()) as { token: string })
      .token
    const answer = await fetch(`${url}/api/v1/notes`, { headers: { authorization: `Bearer ${token}` } })
    notes.push(await answer.json())
    expect(notes.at(-1)).toEqual([{ id: user.id, text: 'mine' }])
  }

  expect(notes[0]).not.toEqual(notes[1])
  expect((await fetch(`${url}/api/v1/notes`)).status).toBe(401)
  const document = (await (await fetch(`${url}/api/v1/openapi.json`)).json()) as { paths: object }
  expect(document.paths).toHaveProperty('/notes')
})
