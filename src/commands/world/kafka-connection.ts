import type { KafkaConnection } from '../../adapters/kafka/connection.ts';
import { createTokens } from '../../adapters/oauth/tokens.ts';
import type { KafkaLogin } from '../../kernel/connections/login.ts';
import { SluiceError } from '../../kernel/errors.ts';
import type { KafkaConnection as KafkaSettings, SaslSettings } from '../../plan/topology.ts';
import type { Telemetry } from '../../ports/telemetry.ts';
import type { Io } from '../io.ts';

/** What every Kafka client of a command needs to reach a topology's cluster: addresses, login and trust. */
export function kafkaConnection(
  kafka: Pick<KafkaSettings, 'brokers' | 'clientId' | 'ssl' | 'sasl'>,
  telemetry: Telemetry,
  { clock, env }: Pick<Io, 'clock' | 'env'>,
): KafkaConnection & { readonly debugProtocolBuffers: boolean } {
  return {
    brokers: kafka.brokers,
    clientId: kafka.clientId,
    ssl: kafka.ssl,
    sasl: kafka.sasl && loginOf(kafka.sasl, telemetry, clock),
    debugProtocolBuffers: env.KAFKAJS_DEBUG_PROTOCOL_BUFFERS !== undefined,
  };
}

function loginOf(sasl: SaslSettings, telemetry: Telemetry, clock: Io['clock']): KafkaLogin {
  const { mechanism } = sasl;
  if (mechanism !== 'oauthbearer') return sasl;
  if (!('token' in sasl)) return { mechanism, token: createTokens({ clock, telemetry }, sasl) };
  const { token } = sasl;
  return {
    mechanism,
    token: async () => {
      const text = token.reveal();
      if (/^[\x21-\x7e]+$/.test(text)) return text;
      throw new SluiceError(
        'login-refused',
        'connections.kafka.sasl.token is no token: it has blanks or line breaks in it; see its file',
      );
    },
  };
}
