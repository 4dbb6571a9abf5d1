import { LRUCache } from 'lru-cache'
import { shareWork } from '../../db/shared-work.ts'

/** Answers of the database that are kept in memory, each under what it depends on. */
export interface AuthorityCache {
  /** What is kept under a key; undefined when nothing is, null when it is known that there is nothing. */
  get: <Row extends object>(key: string) => Row | null | undefined
  /**
   * Reads, and keeps the answer unless something that it depends on changed meanwhile. Calls for a key share one read,
   * but none that was begun before such a change.
   */
  read: <Row extends object>(key: string, question: Question<Row>) => Promise<Row | undefined>
  /** Forgets what depends on `tag`. */
  drop: (tag: string) => void
  clear: () => void
  /** How many answers are kept. */
  size: () => number
  /** On how many tags these depend. */
  tags: () => number
}

export interface Question<Row> {
  read: () => Promise<Row | undefined>
  /** How long the answer may be kept, in milliseconds: while it changes nothing that is told of, or less. */
  keepMs: (row: Row | undefined) => number
  /** What the answer depends on, as notifications name it. */
  tagsOf: (row: Row | undefined) => readonly string[]
  /** The same as far as it is known before it is read; undefined when it is not. */
  tagsBefore: readonly string[] | undefined
}

interface Reading {
  answer: () => Promise<object | undefined>
  tags: readonly string[] | undefined
  isOutdated: boolean
}

interface Kept {
  row: object | null
  tags: readonly string[]
}

// What an answer and each of its tags take, beside its texts; an answer with what it is in JSON.
const [bytesOfAnswer, bytesOfTag] = [2_000, 500]

/**
 * A cache of so many bytes by estimate, what was least recently used going first. It is never asked whether it is right:
 * whoever uses it drops what changed.
 */
export function createAuthorityCache(maxBytes: number): AuthorityCache {
  const keysOf = new Map<string, Set<string>>()
  const readings = new Map<string, Reading>()
  const kept = new LRUCache<string, Kept>({
    maxSize: maxBytes,
    sizeCalculation: ({ row, tags }) => bytesOfAnswer + bytesOfTag * tags.length + bytesOfTexts(row),
    dispose({ tags }, key) {
      for (const tag of tags) {
        const keys = keysOf.get(tag)
        keys?.delete(key)
        if (keys?.size === 0) keysOf.delete(tag)
      }
    },
  })

  function keep(key: string, entry: Kept, ms: number): void {
    // What it replaces is disposed of now, and takes none of the new tags along.
    kept.set(key, entry, { ttl: Number.isFinite(ms) ? ms : 0 })
    // What is too large for all of it is not kept.
    if (!kept.has(key)) return
    for (const tag of entry.tags) {
      const keys = keysOf.get(tag)
      if (keys) keys.add(key)
      else keysOf.set(tag, new Set([key]))
    }
  }

  /** Lets reads under way come to their end without being kept or shared. */
  function outdate(concerns: (reading: Reading) => boolean): void {
    for (const [key, reading] of readings) {
      if (!concerns(reading)) continue
      reading.isOutdated = true
      readings.delete(key)
    }
  }

  async function answer<Row extends object>(key: string, reading: Reading, question: Question<Row>) {
    try {
      const row = await question.read()
      const ms = question.keepMs(row)
      if (!reading.isOutdated && ms > 0) keep(key, { row: row ?? null, tags: question.tagsOf(row) }, ms)
      return row
    } finally {
      if (readings.get(key) === reading) readings.delete(key)
    }
  }

  return {
    get: <Row extends object>(key: string) => kept.get(key)?.row as Row | null | undefined,
    read<Row extends object>(key: string, question: Question<Row>) {
      const shared = readings.get(key)
      if (shared) return shared.answer() as Promise<Row | undefined>
      const reading: Reading = { answer: async () => undefined, tags: question.tagsBefore, isOutdated: false }
      readings.set(key, reading)
      const row = shareWork(() => answer(key, reading, question))
      reading.answer = row
      return row()
    },
    drop(tag) {
      outdate(({ tags }) => tags?.includes(tag) ?? true)
      for (const key of keysOf.get(tag) ?? []) kept.delete(key)
    },
    clear() {
      outdate(() => true)
      kept.clear()
    },
    size: () => kept.size,
    tags: () => keysOf.size,
  }
}

function bytesOfTexts(row: object | null): number {
  let length = 0
  for (const value of Object.values(row ?? {})) if (typeof value === 'string') length += value.length
  return 2 * length
}
