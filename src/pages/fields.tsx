import type { Child } from 'hono/jsx'

/** What a form shows after it was sent: what was typed, and what is wrong with it. */
export interface FormState {
  values?: Readonly<Record<string, string>>
  /** By the name of the field. */
  errors?: Readonly<Record<string, string>>
  /** What is wrong with the whole. */
  problem?: string
}

interface FieldProps {
  state: FormState
  name: string
  /** Tells it from a field of the same name in another form of the page. */
  form?: string
  label: string
  type?: 'text' | 'email' | 'password'
  autocomplete: string
  hint?: string
  /** What it holds before anything was typed. */
  value?: string
  required?: boolean
  minLength?: number
  maxLength?: number
  autofocus?: boolean
}

/** A labelled input with its hint and its error; the first that is wrong has the focus. A password is never sent back. */
export function Field({
  state,
  name,
  form,
  label,
  type = 'text',
  hint,
  value = '',
  required = true,
  autofocus,
  ...input
}: FieldProps) {
  const error = state.errors?.[name]
  const [firstFault = autofocus ? name : undefined] = Object.keys(state.errors ?? {})
  const id = form === undefined ? name : `${form}-${name}`
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ')
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {error && (
        <p class="error" id={`${id}-error`}>
          {error}
        </p>
      )}
      <input
        id={id}
        name={name}
        type={type}
        value={type === 'password' ? undefined : (state.values?.[name] ?? value)}
        required={required}
        autocomplete={input.autocomplete}
        minlength={input.minLength}
        maxlength={input.maxLength}
        autofocus={firstFault === name}
        spellcheck={type === 'text' ? undefined : false}
        autocapitalize={type === 'text' ? undefined : 'none'}
        aria-invalid={error ? 'true' : undefined}
        aria-describedby={described || undefined}
      />
    </div>
  )
}

type Chosen<Key extends keyof FieldProps> = Pick<FieldProps, 'state' | 'autofocus' | Key>

/** The name of a person. */
export function NameField(props: Chosen<'value'>) {
  return <Field {...props} name="name" label="Name" autocomplete="name" maxLength={200} />
}

/** The address that tells an account from others. */
export function EmailField(props: Chosen<never>) {
  return <Field {...props} name="email" label="E-mail address" type="email" autocomplete="username" />
}

/** The password that an account has. */
export function PasswordField(props: Chosen<'name' | 'label' | 'form'>) {
  return <Field {...props} type="password" autocomplete="current-password" />
}

/** The password that an account is to have. */
export function NewPasswordField({ hint, ...props }: Chosen<'name' | 'label'> & { hint: string }) {
  const length = { hint: `At least 8 characters. ${hint}`, minLength: 8 }
  return <Field {...props} {...length} type="password" autocomplete="new-password" />
}

interface NoticeProps {
  kind: 'good' | 'bad' | 'info'
  children?: Child
}

/** A message above a form; a bad one has the focus, so that it is seen and read out wherever it stands. */
export function Notice({ kind, children }: NoticeProps) {
  const attributes = kind === 'bad' ? { role: 'alert', tabindex: -1, autofocus: true } : { role: 'status' }
  return (
    <p class={`notice ${kind}`} {...attributes}>
      {children}
    </p>
  )
}

interface FormProps {
  action: string
  state?: FormState
  /** Sent with the form, unseen. */
  hidden?: Readonly<Record<string, string | undefined>>
  class?: string
  children?: Child
}

/** A form that works without any script. */
export function Form({ action, state = {}, hidden = {}, class: className, children }: FormProps) {
  return (
    <form method="post" action={action} class={className}>
      {state.problem && <Notice kind="bad">{state.problem}</Notice>}
      {Object.entries(hidden).map(([name, value]) =>
        value === undefined ? null : <input type="hidden" name={name} value={value} />,
      )}
      {children}
    </form>
  )
}
