import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { AuthConfig } from '../auth/auth-config.ts'
import type { Config } from '../config.ts'
import { hasEmbedded } from '../db/embedded.ts'
import { toProblem } from '../failures.ts'
import { createLog } from '../log.ts'
import { createServices } from '../services.ts'
import { AdminCommand, AdminCommandError, runAdminCommand } from './commands.ts'
import { askRunning } from './socket.ts'

const usage = `usage: npm run admin -- create <email>            make a new admin
       npm run admin -- grant <email> <role>      give a user a role
       npm run admin -- reset-password <email>    set a password, end the user's sessions
       npm run admin -- list                      show the admins
       npm run admin -- end-sessions              end all sessions, tokens and mailed links
       npm run admin -- doctor [--json]           look at the running service, and tell what to mend
       npm run admin -- audit verify              check the audit log; --since <head>: from one that was noted
A password is asked for, or read from standard input.`

/**
 * Runs one command of the operator: through the running service when the database is embedded, else on the database.
 * @returns the exit code
 */
export async function runAdmin(args: string[], config: Config, authConfig: AuthConfig): Promise<number> {
  const command = await parse(args)
  if (typeof command === 'string') return print(process.stderr, command, 2)
  const answer = config.database ? undefined : await askRunning(config.dataDir, command)
  if (answer) return print(answer.ok ? process.stdout : process.stderr, answer.output, answer.ok ? 0 : 1)
  // The first admin may be made before the first start; anything else is about users that are there.
  if (!config.database && command.command !== 'create' && !hasEmbedded(config.dataDir)) {
    return print(process.stderr, 'There is no database in DATA_DIR.', 1)
  }

  const services = await createServices(config, authConfig, createLog('silent'))
  try {
    return print(process.stdout, await runAdminCommand(services, command), 0)
  } catch (error) {
    const message = error instanceof AdminCommandError ? error.message : toProblem(error).message
    return print(process.stderr, message, 1)
  } finally {
    await services.close()
  }
}

function print(stream: NodeJS.WriteStream, message: string, code: number): number {
  stream.write(`${message}\n`)
  return code
}

const operands = new Map([
  ['create', ['email']],
  ['reset-password', ['email']],
  ['grant', ['email', 'role']],
  ['list', []],
  ['end-sessions', []],
  ['audit verify', []],
  ['audit verify --since', ['since']],
])

/** The command that the arguments mean, or what is wrong with them. */
async function parse(args: string[]): Promise<AdminCommand | string> {
  // The longest: a command may have several words.
  const words = [3, 2, 1].find((count) => operands.has(args.slice(0, count).join(' '))) ?? 0
  const [called, values] = [args.slice(0, words).join(' '), args.slice(words)]
  const names = operands.get(called)
  if (values.length !== names?.length) return usage
  const command = called.replace(' --since', '')
  const given = { command, ...Object.fromEntries(names.map((name, i) => [name, values[i]])) }
  const needsPassword = command === 'create' || command === 'reset-password'
  const parsed = AdminCommand.safeParse(needsPassword ? { ...given, password: await readPassword() } : given)
  return parsed.success
    ? parsed.data
    : parsed.error.issues.map(({ path, message }) => `The ${path.join('.')} ${message}`).join('\n')
}

/** The password typed at the terminal, unseen, or the first line of standard input. */
async function readPassword(): Promise<string> {
  if (!process.stdin.isTTY) return (await text(process.stdin)).split(/\r?\n/)[0] ?? ''
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output: unseen, terminal: true })
  // Only now does the terminal show nothing of what is typed.
  process.stderr.write('Password: ')
  try {
    for await (const line of terminal) return line
    return ''
  } finally {
    terminal.close()
    process.stderr.write('\n')
  }
}
