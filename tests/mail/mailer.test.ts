import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createLog } from '../../src/log.ts'
import { type CountMessage, createMailer, type Message } from '../../src/mail/mailer.ts'
import { createMessages } from '../../src/mail/messages.ts'
import { startMailServer } from '../support/mail-server.ts'
import { freePort } from '../support/throwaway-postgres.ts'

const brand = { name: 'Acme ID', color: { light: '#7a1f5c', dark: '#f0a6d6' } }
const messages = createMessages(brand, 'https://auth.example.com')
const ada = { name: 'Ada <b>Lovelace</b>', email: 'ada@example.com' }

/** A mailer on a server, and what it logs. */
function start(url: string, count: CountMessage = () => Promise.resolve(() => Promise.resolve())) {
  const lines: { msg: string; level: number; messages?: number }[] = []
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as (typeof lines)[number])
      done()
    },
  })
  const log = createLog('info', destination)
  const mailer = createMailer({ smtp: { url, from: 'auth@example.com' }, logLinks: false, count, log })
  onTestFinished(mailer.close)
  return { mailer, lines }
}

test.each<[string, Message, string | undefined]>([
  ['verification', messages.verification(ada, 'https://auth.example.com/v?token=x'), '/v?token=x'],
  ['alreadySignedUp', messages.alreadySignedUp(ada, 'https://auth.example.com/sign-in'), '/sign-in'],
  ['reset', messages.reset(ada, 'https://auth.example.com/r?token=x'), '/r?token=x'],
  ['invitation', messages.invitation(ada, 'https://auth.example.com/i?token=x'), '/i?token=x'],
  ['emailChange', messages.emailChange(ada, 'https://auth.example.com/c?a=1&b=2', 'user-1'), '/c?a=1&b=2'],
  ['emailChangeAsked', messages.emailChangeAsked(ada, 'new@example.com'), undefined],
  ['emailChanged', messages.emailChanged(ada.email, 'new@example.com')[0], undefined],
  ['passwordChanged', messages.passwordChanged(ada), '/account'],
  ['methodLinked', messages.methodLinked(ada, 'Google'), '/account'],
])('the letter %s says the same as text and as HTML, and loads nothing', (_name, message, path) => {
  const { to, text, html } = message
  const link = path && `https://auth.example.com${path}`

  expect(to).toBe(ada.email)
  // What somebody calls themselves goes to no address that may be of somebody else.
  expect(text).toMatch(/^Hello,\n/)
  expect(html).toContain('<p>Hello,</p>')
  expect(`${text}${html}`).not.toContain('Lovelace')
  expect(html).not.toMatch(/<(img|script|link|iframe)|src=|url\(/i)
  expect(html).toContain('Acme ID')
  expect(/https:\S+/.exec(text)?.[0]).toBe(link)
  const links = link === undefined ? [] : [link.replace('&', '&amp;')]
  expect([...html.matchAll(/href="([^"]+)"/g)].map(([, href]) => href)).toEqual(links)
})

test('R-37 a message that the server does not take yet is sent again', async () => {
  const { url, mails } = await startMailServer({ refuse: [451] })
  const { mailer, lines } = start(url)

  mailer.send(messages.passwordChanged(ada))

  await expect.poll(() => mails.length, { timeout: 10_000 }).toBe(1)
  expect(mails[0]).toMatchObject({ to: [ada.email], content: expect.stringContaining('Your password was changed') })
  expect(lines.map(({ msg, level }) => [msg, level])).toEqual([['mail could not be sent, trying again', 40]])
})

test('R-37 a message that the server never takes is tried five times, after longer and longer pauses', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const refuse = Array.from({ length: 7 }, () => 451)
  const { url, mails } = await startMailServer({ refuse })
  const { mailer, lines } = start(url)

  mailer.send(messages.passwordChanged(ada))

  const told: string[] = []
  for (const ms of [1_000, 4_000, 16_000, 64_000]) {
    told.push('mail could not be sent, trying again')
    await expect.poll(() => lines.map(({ msg }) => msg)).toEqual(told)
    await vi.advanceTimersByTimeAsync(ms)
  }
  await expect.poll(() => lines.map(({ msg }) => msg)).toEqual([...told, 'mail could not be sent'])
  // Long enough for a pause that would come next.
  await vi.advanceTimersByTimeAsync(256_000)
  expect([refuse.length, mails.length]).toEqual([2, 0])
})

test('R-37 a message that the server refuses for good is given up', async () => {
  const { url, mails } = await startMailServer({ refuse: [550] })
  const { mailer, lines } = start(url)

  mailer.send(messages.passwordChanged(ada))

  await expect.poll(() => lines.map(({ msg, level }) => [msg, level])).toEqual([['mail could not be sent', 50]])
  expect(mails).toEqual([])
})

test('a message that cannot be counted is sent all the same', async () => {
  const { url, mails } = await startMailServer()
  const { mailer, lines } = start(url, () => Promise.reject(new Error('the database is down')))

  mailer.send(messages.reset(ada, 'https://auth.example.com/r?token=x'))

  await expect.poll(() => mails.length).toBe(1)
  expect(lines).toMatchObject([{ level: 50, msg: 'mail could not be counted, and is sent all the same' }])
})

test('a message that is refused, and stays counted, is told of', async () => {
  const { url } = await startMailServer({ refuse: [550] })
  const { mailer, lines } = start(url, () => Promise.resolve(() => Promise.reject(new Error('the database is down'))))

  mailer.send(messages.reset(ada, 'https://auth.example.com/r?token=x'))

  const told = ['mail that was not sent stays counted', 'mail could not be sent']
  await expect.poll(() => lines.map(({ msg }) => msg)).toEqual(told)
})

test('a password goes to no server in clear, but on this machine', async () => {
  const { port, mails, passwords } = await startMailServer()
  // The same server under a name that is not known to be of this machine.
  for (const who of ['ada:secret', ':secret', 'ada']) {
    const { mailer, lines } = start(`smtp://${who}@0.0.0.0:${port}`)
    mailer.send(messages.passwordChanged(ada))
    await expect.poll(() => lines.map(({ msg }) => msg)).toEqual(['mail could not be sent'])
    expect(lines[0]).toMatchObject({ err: { code: 'ETLS', message: expect.stringContaining('STARTTLS') } })
  }
  expect([mails, passwords]).toEqual([[], []])

  start(`smtp://0.0.0.0:${port}`).mailer.send(messages.passwordChanged(ada))
  await expect.poll(() => mails.length).toBe(1)
  expect(passwords).toEqual([])
  start(`smtp://ada:secret@127.0.0.1:${port}`).mailer.send(messages.passwordChanged(ada))
  await expect.poll(() => mails.length).toBe(2)
  expect(passwords).toEqual(['secret'])
})

test('a burst of messages goes over few connections, each marked as written by a program', async () => {
  const { url, mails, connections } = await startMailServer()
  const { mailer } = start(url)

  for (let i = 0; i < 20; i++) mailer.send(messages.passwordChanged(ada))

  await expect.poll(() => mails.length, { timeout: 20_000 }).toBe(20)
  // The server may learn of the end of one after the beginning of the next.
  expect(connections.most).toBeLessThan(10)
  for (const { content } of mails) expect(content).toMatch(/^Auto-Submitted: auto-generated\r$/m)
})

test('what a server left waiting at the end is told of once', async () => {
  const silent = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void silent.close())
  const { port } = await once(silent, 'listening').then(() => silent.address() as AddressInfo)
  const { mailer, lines } = start(`smtp://127.0.0.1:${port}`)
  const connected = once(silent, 'connection')
  mailer.send(messages.passwordChanged(ada))
  const [socket] = (await connected) as [Socket]

  await Promise.all([mailer.close(), once(socket.resume(), 'close')])
  // nodemailer says 50 ms after the end of a connection that its message failed.
  await pause(200)

  expect(lines).toMatchObject([{ msg: expect.stringContaining('mail was not sent') as string, messages: 1 }])
})

test('R-37 so many messages wait for a server that is down, and no more', async () => {
  const { mailer, lines } = start(`smtp://127.0.0.1:${await freePort()}`)

  for (let i = 0; i < 1_001; i++) mailer.send(messages.passwordChanged(ada))

  expect(lines.filter(({ msg }) => msg === 'mail was not sent: too many wait already')).toHaveLength(1)
  await mailer.close()
  expect(lines).toContainEqual(expect.objectContaining({ messages: 1_000 }))
})
