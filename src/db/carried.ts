import { openConnection } from './listening-connection.ts'

/**
 * Sends a notification the way that changes go, and hears it the way that changes are heard of.
 * @throws UncarriedError when it is not heard, and what connecting throws
 */
export async function assertCarries(url: string, directUrl: string): Promise<void> {
  const closing = new AbortController()
  const connection = await openConnection(
    {
      url,
      directUrl,
      // The same each time: a pooler in transaction mode listens on afterwards.
      channel: 'latchkey_doctor',
      echoChannel: 'latchkey_doctor_echo',
      onNotification: () => {},
      onLost: () => {},
      stamp: () => () => {},
    },
    closing.signal,
  )
  try {
    await connection.firstBeat()
  } finally {
    connection.destroy()
  }
}
