const listeners = new WeakMap<Request, (userId: string) => void>()

/** Asks to be told who makes a request that is handed to Better-Auth, once that is known. */
export function onCaller(request: Request, listener: (userId: string) => void): void {
  listeners.set(request, listener)
}

/** Tells who makes a request. */
export function tellCaller(request: Request, userId: string): void {
  listeners.get(request)?.(userId)
}
