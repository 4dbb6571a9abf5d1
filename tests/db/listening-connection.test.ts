import pg from 'pg'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { openConnection } from '../../src/db/listening-connection.ts'
import { startWay } from '../support/listening.ts'

const url = process.env['TEST_DATABASE_URL'] ?? ''

describe.skipIf(!url)('on PostgreSQL (needs TEST_DATABASE_URL)', () => {
  async function open({ directUrl = url, echoChannel = 'own' } = {}) {
    const heard: number[] = []
    const onLost = vi.fn<() => void>()
    const connection = await openConnection(
      {
        url,
        directUrl,
        channel: 'authority',
        echoChannel,
        onNotification: () => {},
        onLost,
        stamp: () => () => heard.push(1),
      },
      new AbortController().signal,
    )
    onTestFinished(connection.destroy)
    return { connection, heard, onLost }
  }

  /** Tells over a connection of its own. */
  async function tell(channel: string, payload: string): Promise<void> {
    const client = new pg.Client(url)
    await client.connect()
    await client.query('select pg_notify($1, $2)', [channel, payload])
    await client.end()
  }

  test('a beat is heard', async () => {
    const { connection, heard } = await open()
    await connection.beat()
    await connection.firstBeat()
    expect(heard).toHaveLength(2)
  })

  test('what others tell is heard, and whose it is', async () => {
    const { connection, heard } = await open()
    await Promise.all(Array.from({ length: 5 }, () => connection.echoOf((id) => tell('own', id))))
    expect(heard).toHaveLength(5)
  })

  test('what is told and not heard fails, and what cannot be told with its own error', async () => {
    const { connection, heard } = await open()
    await expect(connection.echoOf(async () => {})).rejects.toThrow('not heard in time')
    await expect(connection.echoOf(() => Promise.reject(new Error('no client')))).rejects.toThrow('no client')
    expect(heard).toHaveLength(0)
  })

  test('where the first beat is not heard, the reason says what to do', async () => {
    // Another database of the server, where nothing of this one is heard.
    const other = new URL(url)
    other.pathname = '/template1'
    const { connection } = await open({ directUrl: other.href })
    await expect(connection.firstBeat()).rejects.toThrow('set DIRECT_URL')
  })

  test('a beat that is under way fails with the connection, and the next one too', async () => {
    const { connection, onLost } = await open()
    const beat = connection.beat()
    connection.destroy()
    await expect(beat).rejects.toThrow('terminated')
    expect(onLost).toHaveBeenCalledOnce()
    expect(connection.lost.aborted).toBe(true)
    await expect(connection.beat()).rejects.toThrow('connection')
  })

  test('there is none where nobody answers, nor for who does not want it any more', async () => {
    await expect(open({ directUrl: 'postgres://nobody@127.0.0.1:1/none' })).rejects.toThrow('ECONNREFUSED')
    const way = await startWay()
    way.freeze()
    const closing = new AbortController()
    const options = { url, channel: 'a', echoChannel: 'b', onNotification() {}, onLost() {}, stamp: () => () => {} }
    const opening = openConnection({ ...options, directUrl: way.url(url) }, closing.signal)
    closing.abort()
    await expect(opening).rejects.toThrow('terminated')
  })
})
