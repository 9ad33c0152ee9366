// Bindings whose calls are counted.

/** The binding, which says the name of each method that is called. */
export function counted<Binding extends object>(binding: Binding, called: (method: string) => void): Binding {
  return new Proxy(binding, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property)
      if (typeof value !== 'function') return value
      return (...given: unknown[]): unknown => {
        called(String(property))
        return Reflect.apply(value, target, given)
      }
    },
  })
}
