import { expect, test } from 'vitest'
import { exactSessionIn } from '../../src/auth/exact-session.ts'

test.each<[string, Record<string, string>, string | undefined]>([
  ['its cookie', { cookie: 's=one' }, 'one'],
  ['its cookie among others', { cookie: 'a=1; s=one; b=2' }, 'one'],
  ['its cookie with escapes', { cookie: 's=o%6Ee' }, 'one'],
  ['the first of two cookies', { cookie: 's=one; s=two' }, 'one'],
  ['its cookie after one that only begins like it', { cookie: 'sx; s=one' }, 'one'],
  ['a blank cookie, whatever follows', { cookie: 's=; s=two' }, undefined],
  ['a cookie of another name', { cookie: 'ss=one; =one; s' }, undefined],
  ['a bearer token before a cookie', { authorization: 'bearer  two', cookie: 's=one' }, 'two'],
  ['a cookie beside what is no bearer token', { authorization: 'Basic two', cookie: 's=one' }, 'one'],
  ['a cookie beside what is no one token', { authorization: 'Bearer two three', cookie: 's=one' }, 'one'],
  ['nothing', {}, undefined],
])('the session of a request is that of %s', (_what, headers, token) => {
  expect(exactSessionIn(new Headers(headers), 's')).toBe(token)
})
