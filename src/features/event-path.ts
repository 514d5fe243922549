import type jsep from 'jsep';

/** A node as the parser makes it: where its token begins, whether it stood in parentheses. */
export interface Node extends jsep.Expression {
  start?: number;
  grouped?: boolean;
}

/** `a.b` of `event.a.b`: the path of a field; undefined for what is none of the event, nor of a record inside of it. */
export function pathInEvent(node: Node): string | undefined {
  if (node.type !== 'MemberExpression' || node.computed === true || node.optional === true) return undefined;
  const object = node.object as Node;
  const { name } = node.property as Node;
  if (object.type === 'Identifier') return object.name === 'event' ? String(name) : undefined;
  const before = pathInEvent(object);
  return before === undefined ? undefined : `${before}.${String(name)}`;
}
