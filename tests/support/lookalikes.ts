/** What `kim.…@example.com` is taken for by who folds case, normalizes, drops what is not seen, or only looks. */
export function lookalikesOf(email: string): [kind: string, address: string][] {
  const [local = '', domain = ''] = email.split('@')
  if (!local.startsWith('ki')) throw new Error('the address begins with "ki"')
  const rest = local.slice(1)
  return [
    ['a Kelvin sign', `\u212a${rest}@${domain}`],
    ['a dotless i', `k\u0131${local.slice(2)}@${domain}`],
    ['a dotted capital I', `k\u0130${local.slice(2)}@${domain}`],
    ['a Cyrillic letter', `\u043a${rest}@${domain}`],
    ['a Greek letter', `\u03ba${rest}@${domain}`],
    ['full-width letters', `\uff4b${rest}@${domain}`],
    ['mathematical letters', `\u{1d4c0}${rest}@${domain}`],
    ['a superscript', `\u1d4f${rest}@${domain}`],
    ['a combining accent', `k\u0301${rest}@${domain}`],
    ['a full-width at sign', `${local}\uff20${domain}`],
    ['a small at sign', `${local}\ufe6b${domain}`],
    ['a full-width dot', `${local}@${domain.replace('.', '\uff0e')}`],
    ['an ideographic full stop', `${local}@${domain.replace('.', '\u3002')}`],
    ['a long s', `${local}@\u017fub.${domain}`],
    ['full-width letters after the sign', `${local}@\uff45${domain.slice(1)}`],
    ['a soft hyphen', `k\u00ad${rest}@${domain}`],
    ['a joiner of no width', `k\u200d${rest}@${domain}`],
    ['a space of no width', `${local}@${domain}\u200b`],
    ['a mark of direction', `\u202e${local}@${domain}`],
    ['a byte order mark', `\ufeff${local}@${domain}`],
    ['a blank that does not break', `${local}@${domain}\u00a0`],
  ]
}
