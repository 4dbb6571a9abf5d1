import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { afterAll } from 'vitest'

/** What the server was given. */
export interface Mail {
  to: string[]
  content: string
}

/**
 * A mail server that keeps what it is given.
 * @param refuse the codes with which it refuses the first messages, instead of taking them
 */
export async function startMailServer(refuse: number[] = []) {
  const mails: Mail[] = []
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, session, done) {
      const to = session.envelope.rcptTo.map(({ address }) => address)
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        const code = refuse.shift()
        if (code !== undefined) return done(Object.assign(new Error('not now'), { responseCode: code }))
        const raw = Buffer.concat(chunks).toString()
        mails.push({ to, content: raw.replaceAll(/=\r?\n/g, '').replaceAll('=3D', '=') })
        done()
      })
    },
  })
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  afterAll(
    () =>
      new Promise<void>((resolve) => {
        server.close(resolve)
      }),
  )
  return { mails, url: `smtp://127.0.0.1:${(server.server.address() as AddressInfo).port}` }
}
