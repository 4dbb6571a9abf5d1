import type pg from 'pg'

const first = [
  'Ada Grace Alan Edsger Barbara Donald Margaret Dennis Frances Ken Radia Linus Hedy Niklaus Karen Leslie Shafi',
  'Silvio Whitfield Martin Ralph Ron Adi Leonard Taher Joan Vincent Daniel Tanja Nadia Moti Cynthia Phillip Mihir',
]
  .join(' ')
  .split(' ')
const last = [
  'Lovelace Hopper Turing Dijkstra Liskov Knuth Hamilton Ritchie Allen Thompson Perlman Torvalds Lamarr Wirth Jones',
  'Lamport Goldwasser Micali Diffie Hellman Merkle Rivest Shamir Adleman Elgamal Daemen Rijmen Bernstein Lange',
  'Heninger Naor Dwork Rogaway Bellare Anderson Robinson Johnson Nielsen Okonkwo Fernandes Yamamoto Kowalski',
]
  .join(' ')
  .split(' ')
const rareEvery = 30

/**
 * Adds users number `from` to `to` of a table of `size`. Later ones were made later. Whatever the size, about as many are
 * moderators, banned, or have an account of a provider that few use, so that a page of them is as long.
 */
export async function addUsers(client: pg.Client, { size, from, to }: { size: number; from: number; to: number }) {
  const every = Math.max(1, Math.floor(size / rareEvery))
  await client.query(
    `insert into "user" (id, name, email, email_verified, role, banned, created_at, updated_at)
     select md5('user ' || n), given || ' ' || family, lower(given || '.' || family) || n || '@example.com', n % 5 <> 0,
       case when n % $5 = 1 then 'moderator' else 'user' end, n % $5 = 2, at, at
     from generate_series($1::int, $2::int) as n,
       lateral (select ($3::text[])[1 + abs(hashint4(n)) % cardinality($3::text[])] as given,
         ($4::text[])[1 + abs(hashint4(n + 1000000000)) % cardinality($4::text[])] as family,
         timestamptz '2020-01-01' + n * interval '1 minute' as at) as person`,
    [from, to, first, last, every],
  )
  await client.query(
    `insert into account (id, account_id, provider_id, user_id, updated_at)
     select md5('account ' || n), n::text, case when n % $3 = 4 then 'github' else 'google' end, md5('user ' || n), now()
     from generate_series($1::int, $2::int) as n where n % 10 = 3 or n % $3 = 4`,
    [from, to, every],
  )
}

/**
 * Does something without the indexes that are not of a constraint, and makes them anew afterwards: to add a row to each of
 * them, a million times, takes minutes.
 */
export async function withoutIndexes(client: pg.Client, fill: () => Promise<void>): Promise<void> {
  const { rows } = await client.query<{ name: string; definition: string }>(
    `select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition from pg_index i
     where i.indrelid in ('"user"'::regclass, 'account'::regclass)
       and not exists (select from pg_constraint where conindid = i.indexrelid)`,
  )
  for (const { name } of rows) await client.query(`drop index ${name}`)
  await fill()
  await client.query(`set maintenance_work_mem = '512MB'`)
  for (const { definition } of rows) await client.query(definition)
}

/** Leaves a table as Better-Auth would have it, where a search reads all of it. */
export async function dropSearchIndexes(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select i.indexrelid::regclass::text as name
     from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
     where i.indrelid = '"user"'::regclass and a.amname in ('gin', 'gist')`,
  )
  for (const { name } of rows) await client.query(`drop index ${name}`)
}

export const searchKinds = ['rare', 'common', 'absent', 'address', 'name@domain', 'swapped words', 'pieces'] as const

/**
 * Texts to look for in a table of that size, of three characters or more: some that a handful have in their name or address,
 * very many, and nobody; whole addresses, and most of them; names the wrong way round; and some that nobody has, but whose
 * pieces everybody has.
 */
export async function searchesIn(
  client: pg.Client,
  size: number,
): Promise<Record<(typeof searchKinds)[number], string[]>> {
  const numbers = Array.from({ length: 20 }, (_, i) => Math.floor((size * (i + 0.5)) / 20))
  const { rows } = await client.query<{ name: string; email: string }>(
    `select name, email from "user" where id in (select md5('user ' || n) from unnest($1::int[]) as n)`,
    [numbers],
  )
  return {
    rare: numbers.map((n) => String(n).padStart(3, '0')),
    common: ['son', 'lam', 'ber', 'ada', 'tur'],
    absent: ['zzq', 'nobody at all', 'xqxq'],
    address: rows.map(({ email }) => email),
    'name@domain': rows.map(({ email }) => email.slice(email.indexOf('.') + 1)),
    'swapped words': rows.map(({ name }) => name.split(' ').toReversed().join(' ')),
    pieces: ['com.example', 'com@example', 'example@com'],
  }
}
