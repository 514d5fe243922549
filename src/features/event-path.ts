import type jsep from 'jsep';

/** A node as our parser makes it: with the start of its token, and whether it was in parentheses. */
export interface Node extends jsep.Expression {
  start?: number;
  grouped?: boolean;
}

/** `a.b` of `event.a.b`: the path of a field; undefined if the node is not a field of the event or of a nested record. */
export function pathInEvent(node: Node): string | undefined {
  if (node.type !== 'MemberExpression' || node.computed === true || node.optional === true) return undefined;
  const object = node.object as Node;
  const { name } = node.property as Node;
  if (object.type === 'Identifier') return object.name === 'event' ? String(name) : undefined;
  const before = pathInEvent(object);
  return before === undefined ? undefined : `${before}.${String(name)}`;
}
