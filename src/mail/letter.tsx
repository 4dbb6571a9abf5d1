import { renderToString } from 'hono/jsx/dom/server'
import type { Brand } from '../auth/auth-config.ts'
import type { Message } from './mailer.ts'

/**
 * Whom a mail is for. Nobody is called by name: anybody may have given one, of up to 200 characters, with the address of
 * somebody else, who would read it with our name under it.
 */
export interface Recipient {
  email: string
}

interface Letter extends Pick<Message, 'cap'> {
  to: Recipient
  subject: string
  /** What comes before the link. */
  text: string
  /** What the reader can do about it. */
  action?: { label: string; url: string }
  /** What comes after it: how long it works, and what to do if it was somebody else. */
  closing: string
}

/** A mail in two forms with the same words: as text, and as HTML that loads nothing. */
export function compose(brand: Brand, { to, ...letter }: Letter): Message {
  const { subject, text, action, closing, ...capped } = letter
  const lines = ['Hello,', text, ...(action ? [`${action.label}:\n${action.url}`] : []), closing, brand.name]
  const html = `<!doctype html>${renderToString(<Html brand={brand} letter={letter} />)}`
  return { to: to.email, subject, text: `${lines.join('\n\n')}\n`, html, ...capped }
}

const font = 'font-family: system-ui, -apple-system, "Segoe UI", sans-serif; font-size: 16px; line-height: 1.5'

// Programs that show mail know no style sheets, so each element has its own style.
function Html({ brand, letter }: { brand: Brand; letter: Omit<Letter, 'to'> }) {
  const { subject, text, action, closing } = letter
  const button = `display: inline-block; padding: 12px 24px; border-radius: 8px; background: ${brand.color.light}; color: #ffffff; font-weight: 600; text-decoration: none`
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width" />
        <title>{subject}</title>
      </head>
      <body style={`margin: 0; padding: 24px; background: #f5f6f9; color: #1b1c22; ${font}`}>
        <div style="max-width: 480px; margin: 0 auto; padding: 32px; border-radius: 12px; background: #ffffff">
          <h1 style="margin: 0 0 16px; font-size: 22px; line-height: 1.3">{subject}</h1>
          <p>Hello,</p>
          <p>{text}</p>
          {action && (
            <>
              <p style="margin: 24px 0">
                <a href={action.url} style={button}>
                  {action.label}
                </a>
              </p>
              <p style="color: #5a5d6b; font-size: 14px">
                If the button does not work, copy this address into your browser:
                <br />
                <span style="word-break: break-all">{action.url}</span>
              </p>
            </>
          )}
          <p style="color: #5a5d6b; font-size: 14px">{closing}</p>
          <p style="margin-bottom: 0">{brand.name}</p>
        </div>
      </body>
    </html>
  )
}
