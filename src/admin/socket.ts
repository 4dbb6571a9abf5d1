import { once } from 'node:events'
import { chmod, mkdtemp, rm, symlink } from 'node:fs/promises'
import { createServer, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { z } from 'zod'
import { toProblem } from '../failures.ts'
import { scrub } from '../log.ts'
import type { Services } from '../services.ts'
import { AdminCommand, AdminCommandError, runAdminCommand } from './commands.ts'

interface Answer {
  ok: boolean
  output: string
}

/** What the running service can be asked, beside the commands: to look at itself. */
export type Asked = AdminCommand | { command: 'doctor' }

const beatMs = 1_000
const maxSilenceMs = 30_000

/**
 * Takes commands of the operator beside a running service whose embedded database nobody else can open: on a Unix socket
 * in the data directory, which nobody but its owner may write to.
 * @param examine what it finds of itself
 * @returns ends it
 */
export async function serveAdmin(services: Services, examine: () => Promise<unknown>): Promise<() => Promise<void>> {
  const path = socketPath(services.config.dataDir)
  await rm(path, { force: true })
  const server = createServer((incoming, outgoing) => {
    // JSON may begin with spaces: who waits sees that something is done.
    const beat = setInterval(() => outgoing.write(' '), beatMs)
    outgoing.on('close', () => clearInterval(beat))
    void answer(services, incoming, examine).then((body) => {
      clearInterval(beat)
      outgoing.end(JSON.stringify(body))
    })
  })
  await throughShortPath(path, async (short) => {
    server.listen(short)
    await once(server, 'listening')
  })
  await chmod(path, 0o600)
  return async () => {
    server.close()
    server.closeAllConnections()
    await rm(path, { force: true })
  }
}

/**
 * Asks the running service to carry out a command, for as long as it shows that it is at it.
 * @param silenceMs after how many milliseconds without a sign it is given up
 * @returns undefined when none is running; for one that gives no answer, what is known of why
 */
export async function askRunning(
  dataDir: string,
  command: Asked,
  silenceMs = maxSilenceMs,
): Promise<Answer | undefined> {
  return throughShortPath(socketPath(dataDir), async (short) => {
    const outgoing = request({ socketPath: short, method: 'POST', timeout: silenceMs })
    let isSilent = false
    outgoing.on('timeout', () => {
      isSilent = true
      outgoing.destroy()
    })
    try {
      outgoing.end(JSON.stringify(command))
      const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
      return JSON.parse(await text(incoming)) as Answer
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined
      const why = isSilent ? `has said nothing for ${silenceMs / 1_000} seconds` : `gave no answer: ${message}`
      return { ok: false, output: `The service that runs on DATA_DIR ${why}. See its log.` }
    }
  })
}

const Doctor = z.strictObject({ command: z.literal('doctor') })

async function answer(
  services: Services,
  incoming: AsyncIterable<Uint8Array>,
  examine: () => Promise<unknown>,
): Promise<Answer> {
  let command: Asked | undefined
  try {
    command = z.union([Doctor, AdminCommand]).safeParse(JSON.parse(await text(incoming))).data
    if (!command)
      return { ok: false, output: 'The running service does not know this command: it is of another version' }
    if (command.command === 'doctor') return { ok: true, output: JSON.stringify(await examine()) }
    return { ok: true, output: await runAdminCommand(services, command) }
  } catch (error) {
    if (error instanceof AdminCommandError) return { ok: false, output: error.message }
    const problem = toProblem(error)
    if (problem.status < 500) return { ok: false, output: problem.message }
    services.log.error({ command: command?.command, err: error }, 'a command of the operator failed')
    return { ok: false, output: `It failed: ${scrub(error instanceof Error ? error.message : String(error))}` }
  }
}

function socketPath(dataDir: string): string {
  return resolve(dataDir, 'admin.sock')
}

const maxSocketPath = 100

/** A socket's path has about a hundred bytes at most; through a link a longer one can be reached too. */
async function throughShortPath<T>(path: string, use: (short: string) => Promise<T>): Promise<T> {
  if (Buffer.byteLength(path) <= maxSocketPath) return use(path)
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-'))
  try {
    await symlink(resolve(path, '..'), join(folder, 'data'))
    return await use(join(folder, 'data', 'admin.sock'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
