import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { afterAll, expect, test } from 'vitest'
import { unencryptedFindings } from '../../src/doctor/public-url.ts'

// An address of this machine that nothing else has, so that its usual ports are free.
const host = '127.0.0.77'

const server = await listening(createServer((incoming, outgoing) => answer(incoming, outgoing)))
let answer: RequestListener = () => {}

/** The server at the usual port; undefined where this user may not have it. */
async function listening(made: Server): Promise<Server | undefined> {
  try {
    made.listen(80, host)
    await once(made, 'listening')
    afterAll(() => void made.close())
    return made
  } catch {
    return undefined
  }
}

const redirecting =
  (location: string): RequestListener =>
  (_incoming, outgoing) =>
    void outgoing.writeHead(301, { location }).end()

test.skipIf(!server).each<[string, string, RequestListener]>([
  ['leads to https', 'ok', redirecting(`https://${host}/`)],
  ['refuses', 'ok', (_incoming, outgoing) => void outgoing.writeHead(403).end()],
  ['hangs up', 'ok', (_incoming, outgoing) => void outgoing.destroy()],
  ['answers', 'warning', (_incoming, outgoing) => void outgoing.end('{}')],
  ['leads to http', 'warning', redirecting(`http://${host}/elsewhere`)],
  ['leads nowhere', 'warning', redirecting('//:x')],
])('what is at port 80 %s: %s (needs the right to listen there)', async (_name, level, listener) => {
  answer = listener

  expect(await unencryptedFindings(`https://${host}`)).toMatchObject([{ check: 'http', level }])
})

test('of a port of its own nothing can be said', async () => {
  expect(await unencryptedFindings(`https://${host}:8443`)).toEqual([])
})
