import { appendFileSync, readFileSync } from 'node:fs'
import { type RunnerTask, type RunnerTestCase, TestRunner } from 'vitest'

/** What a run of `Switching` tells of a mutant, a line each. */
export interface Told {
  id: number
  /** `spoilt`: the test fails without the mutant, too, once it was on. A run that ends with `trying` did not end well. */
  what: 'trying' | 'killed' | 'spoilt' | 'done'
  by?: string
}

/** What a try of a test is for. */
type Trial = { kind: 'first' | 'second' } | { kind: 'mutant' | 'control' | 'again'; id: number }

const listPath = process.env['MUTANTS_SWITCHED'] ?? ''

/** How long one test is repeated, at most. */
const mostMs = 60_000

/**
 * Repeats each test that passes twice with one mutant on after the other, of those that it reaches, where the sources have
 * switches. That costs no start of a process for each. A mutant is killed if the test passes once it is off, and fails again
 * once it is on: not by chance.
 */
// oxlint-disable-next-line import/no-default-export -- Vitest takes it so.
export default class Switching extends TestRunner {
  private readonly left = new Set(JSON.parse(readFileSync(listPath, 'utf8')) as number[])
  private isSpoilt = false
  private trial: Trial = { kind: 'first' }
  private reached = new Set<number>()
  private todo: number[] = []
  private endsAt = 0

  override async onBeforeRunTask(task: RunnerTask): Promise<void> {
    await super.onBeforeRunTask(task)
    if (task.type !== 'test') return
    task.repeats = Number.MAX_SAFE_INTEGER
    task.retry = 0
    this.trial = { kind: 'first' }
    this.endsAt = performance.now() + mostMs
  }

  override onBeforeTryTask(task: RunnerTask): void {
    super.onBeforeTryTask(task)
    this.reached = new Set()
    const { trial } = this
    const isOn = trial.kind === 'mutant' || trial.kind === 'again'
    if (isOn) tell({ id: trial.id, what: 'trying' })
    Object.assign(globalThis, { reached: this.reached, mutant: isOn ? trial.id : undefined })
    if (task.result) Object.assign(task.result, { state: 'run', errors: undefined })
  }

  onAfterRetryTask(task: RunnerTestCase): void {
    Object.assign(globalThis, { mutant: undefined })
    const next = this.isSpoilt ? undefined : this.after(task, task.result?.state === 'pass')
    if (next) this.trial = next
    // Like a test that skips itself, which ends its repetitions.
    else if (task.result) Object.assign(task.result, { pending: true })
  }

  override onAfterRunFiles(): void {
    super.onAfterRunFiles()
    tell({ id: -1, what: 'done' })
  }

  private after(task: RunnerTestCase, passed: boolean): Trial | undefined {
    const { trial } = this
    switch (trial.kind) {
      case 'first':
        this.todo = [...this.reached].filter((id) => this.left.has(id))
        return passed && this.todo.length > 0 ? { kind: 'second' } : undefined
      case 'second':
        return passed ? this.next() : undefined
      case 'mutant':
        return passed ? this.next() : { kind: 'control', id: trial.id }
      case 'control':
        if (passed) return { kind: 'again', id: trial.id }
        this.isSpoilt = true
        tell({ id: trial.id, what: 'spoilt', by: task.fullName })
        return undefined
      case 'again':
        if (passed) return this.next()
        this.left.delete(trial.id)
        tell({ id: trial.id, what: 'killed', by: task.fullName })
        return this.next()
    }
  }

  private next(): Trial | undefined {
    const id = this.todo.shift()
    return id === undefined || performance.now() > this.endsAt ? undefined : { kind: 'mutant', id }
  }
}

function tell(told: Told): void {
  appendFileSync(`${listPath}.told`, `${JSON.stringify(told)}\n`)
}
