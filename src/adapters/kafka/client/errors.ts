import { tlsTrouble, tlsWords } from '../../../kernel/connections/tls.ts';
import { type ErrorCode, SluiceError } from '../../../kernel/errors.ts';

/** Vendor errors → ours. Nothing else in the program knows the client's error names. */

interface VendorError {
  readonly name?: string;
  readonly type?: string;
  readonly code?: string | number;
  readonly message?: string;
  readonly cause?: unknown;
}

/** The member no longer owns its partitions; the client finds out by itself and joins again. */
const FENCED: ReadonlySet<string> = new Set(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'FENCED_INSTANCE_ID']);
const TOO_LARGE: ReadonlySet<string> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_FETCH_SIZE']);
const REFUSED: ReadonlySet<string> = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'SECURITY_DISABLED',
]);
const LOGIN_REFUSED: ReadonlySet<string> = new Set([
  'UNSUPPORTED_SASL_MECHANISM',
  'SASL_AUTHENTICATION_FAILED',
  'ILLEGAL_SASL_STATE',
]);
const MISSING: ReadonlySet<string> = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'INVALID_TOPIC_EXCEPTION']);

/** Caused by the record itself: a null key in a compacted topic, a timestamp outside the topic's limits. */
const NEVER_TAKEN: ReadonlySet<string> = new Set(['INVALID_RECORD', 'INVALID_TIMESTAMP']);

/** The broker accepts nothing more from this producer, or not its next batch. */
const SPENT: ReadonlySet<string> = new Set([
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
]);

/**
 * Answers by which a broker says that it wrote nothing. Anything else leaves the outcome open: a time-out, a lost connection, and
 * "not the leader (any longer)", which a broker also says of rows that it has appended and that wait for their replicas.
 */
const NOT_WRITTEN: ReadonlySet<string> = new Set([
  ...TOO_LARGE,
  ...REFUSED,
  ...LOGIN_REFUSED,
  ...MISSING,
  'LEADER_NOT_AVAILABLE',
  'NOT_ENOUGH_REPLICAS',
  'INVALID_TIMESTAMP',
  'INVALID_RECORD',
  'INVALID_REQUIRED_ACKS',
  'UNSUPPORTED_COMPRESSION_TYPE',
  ...SPENT,
]);

/** There was no connection over which anything could have been sent. */
const NOT_CONNECTED: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN']);

/** The Kafka error name somewhere down the chain of causes, or ''. */
export function kafkaType(thrown: unknown): string {
  return find(thrown, (error) => (typeof error.type === 'string' && error.type !== '' ? error.type : undefined)) ?? '';
}

export function isFenced(thrown: unknown): boolean {
  return FENCED.has(kafkaType(thrown));
}

export function isRejoin(thrown: unknown): boolean {
  const type = kafkaType(thrown);
  return FENCED.has(type) || type === 'REBALANCE_IN_PROGRESS';
}

/** The coordinator cannot be reached, or has moved; the membership itself may be fine. */
export function isCoordinatorLost(thrown: unknown): boolean {
  const type = kafkaType(thrown);
  if (type === 'NOT_COORDINATOR_FOR_GROUP' || type === 'GROUP_COORDINATOR_NOT_AVAILABLE') return true;
  const name = (thrown as VendorError | null)?.name;
  return (
    name === 'KafkaJSConnectionError' || name === 'KafkaJSConnectionClosedError' || name === 'KafkaJSBrokerNotFound'
  );
}

export function isTopicMissing(thrown: unknown): boolean {
  return MISSING.has(kafkaType(thrown));
}

/** A retry with the same producer would get the same answer. */
export function isProducerSpent(thrown: unknown): boolean {
  const type = kafkaType(thrown);
  return SPENT.has(type) || type === 'DUPLICATE_SEQUENCE_NUMBER';
}

export function mayBeWritten(thrown: unknown): boolean {
  return !isUnreached(thrown) && !NOT_WRITTEN.has(kafkaType(thrown));
}

/** There was nobody to connect to. */
export function isUnreached(thrown: unknown): boolean {
  return find(thrown, ({ code }) => (NOT_CONNECTED.has(String(code)) ? true : undefined)) === true;
}

/** `doing` completes "could not …", with the name of the thing. Total. */
export function translate(thrown: unknown, doing: string, brokers: readonly string[]): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  const type = kafkaType(thrown);
  const said = messageOf(thrown);
  const make = (code: ErrorCode, advice: string): SluiceError =>
    new SluiceError(
      code,
      `could not ${doing}: ${said}${type === '' || said.includes(type) ? '' : ` (${type})`}; ${advice}`,
      thrown,
    );
  if (TOO_LARGE.has(type)) return make('record-too-large', 'raise max.message.bytes of the topic, or send less');
  if (NEVER_TAKEN.has(type)) {
    return make(
      'record-refused',
      'the topic takes no such key or timestamp: see its cleanup.policy and timestamp limits',
    );
  }
  if (isLoginRefused(thrown)) return loginRefused(said, type, make);
  const tls = tlsTroubleOf(thrown);
  if (tls !== undefined) {
    const message = `could not ${doing}: ${tls.what} (${tlsWords(said)}); ${tls.remedy}`;
    return new SluiceError('peer-untrusted', message, thrown);
  }
  if (REFUSED.has(type)) return make('broker-refused', aclRemedy(type, doing, brokers));
  if (MISSING.has(type)) return make('topic-missing', 'create the topic: a pipeline never does');
  if (type !== '') return make('broker-rejected', 'it is tried again');
  if (find(thrown, (error) => (UNRECOVERABLE.has(error.name ?? '') ? true : undefined)) === true) {
    return make('unexpected', 'this is a defect, of Sluice or of its Kafka client');
  }
  const hint = nameInChain(thrown, 'KafkaJSConnectionClosedError') ? HUNG_UP : '';
  return make('broker-unavailable', `it is tried again; ${hint}brokers: ${brokers.join(', ')}`);
}

/** The broker refuses the login, or it could not be carried out. */
export function isLoginRefused(thrown: unknown): boolean {
  return LOGIN_REFUSED.has(kafkaType(thrown)) || nameInChain(thrown, 'KafkaJSSASLAuthenticationError');
}

function loginRefused(said: string, type: string, make: (code: ErrorCode, advice: string) => SluiceError): SluiceError {
  if (/mechanism is not supported/.test(said)) {
    return make('login-refused', 'write a mechanism that the listener has into connections.kafka.sasl.mechanism');
  }
  if (type === 'ILLEGAL_SASL_STATE') return make('login-refused', NO_LOGIN);
  return make(
    'login-refused',
    'check user and password (or the token) in connections.kafka.sasl, and that the broker knows this user with this mechanism',
  );
}

/** Why TLS cannot be established, in words. */
function tlsTroubleOf(thrown: unknown): ReturnType<typeof tlsTrouble> {
  return find(thrown, ({ code }) => tlsTrouble(code, 'connections.kafka'));
}

const ACL_OF: Readonly<Record<string, string>> = {
  TOPIC_AUTHORIZATION_FAILED: '--operation Read (or Write) --topic TOPIC',
  GROUP_AUTHORIZATION_FAILED: '--operation Read --group GROUP',
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: '--operation All --transactional-id GROUP --resource-pattern-type prefixed',
  CLUSTER_AUTHORIZATION_FAILED: '--operation IdempotentWrite --cluster',
};

function aclRemedy(type: string, doing: string, brokers: readonly string[]): string {
  const what = ACL_OF[type];
  if (what === undefined) return NO_LOGIN;
  const [, topic] = /topic "?([A-Za-z0-9._-]+)/.exec(doing) ?? [];
  return (
    'give this user the right to do it: kafka-acls.sh --bootstrap-server ' +
    `${brokers[0]} --add --allow-principal User:… ${topic === undefined ? what : what.replace('TOPIC', topic)}`
  );
}

const NO_LOGIN = 'the listener asks for no login: leave connections.kafka.sasl out, or give the port of one with SASL';
/** How a listener answers a client that speaks the wrong protocol: with TLS or without, with a login or without. */
const HUNG_UP = 'a listener that hangs up wants a login (connections.kafka.sasl) or TLS (ssl); ';
const UNRECOVERABLE: ReadonlySet<string> = new Set(['TypeError', 'RangeError', 'ReferenceError', 'SyntaxError']);

export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

export function nameInChain(thrown: unknown, name: string): boolean {
  return find(thrown, (error) => (error.name === name ? true : undefined)) === true;
}

function find<T>(thrown: unknown, pick: (error: VendorError) => T | undefined): T | undefined {
  let at = thrown as VendorError | null | undefined;
  for (let depth = 0; depth < 8 && typeof at === 'object' && at !== null; depth++) {
    const found = pick(at);
    if (found !== undefined) return found;
    at = at.cause as VendorError | null | undefined;
  }
  return undefined;
}
