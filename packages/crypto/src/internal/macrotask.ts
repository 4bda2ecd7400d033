/**
 * Lets other tasks of the event loop run.
 */
export const macrotask = (): Promise<void> =>
  new Promise((resolve) => {
    if (typeof setImmediate === "function") return void setImmediate(resolve)
    if (typeof MessageChannel === "undefined") return void setTimeout(resolve, 0)
    // a timer would be held back by 4 ms in browsers
    const { port1, port2 } = new MessageChannel()
    port1.addEventListener("message", () => {
      port1.close()
      resolve()
    })
    port1.start()
    port2.postMessage(undefined)
  })
