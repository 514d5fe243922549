import { type Bigtable, createBigtable } from '../../devstack/bigtable.ts';
import { createBroker, type EmbeddedBroker } from '../../devstack/kafka/broker.ts';
import { createRegistry, type Registry } from '../../devstack/registry.ts';
import { SluiceError } from '../../kernel/errors.ts';

/** The embedded services of one process, and the settings that lead a topology to them. */
export interface Services {
  readonly broker: EmbeddedBroker;
  readonly registry: Registry;
  readonly bigtable: Bigtable;
  /** Tables loaded from files: rows that a file no longer has are removed from them. */
  readonly filled: Set<string>;
  readonly env: Readonly<Record<'KAFKA_BROKERS' | 'SCHEMA_REGISTRY_URL' | 'BIGTABLE_EMULATOR_HOST', string>>;
  close(): Promise<void>;
}

/** 0: any free port. `option` is the option that chooses it. */
export interface ServicePort {
  readonly port: number;
  readonly option: string;
}

export interface ServicePorts {
  readonly kafka: ServicePort;
  readonly registry?: ServicePort;
  readonly bigtable?: ServicePort;
}

/** Starts Kafka, registry and Bigtable in this process, with the real wire protocols; all in memory. */
export async function startServices({ kafka, registry, bigtable }: ServicePorts): Promise<Services> {
  const started: { close(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(started.map((service) => service.close()));
  };
  async function start<Service extends { close(): Promise<void> }>(
    make: (options: { port: number }) => Promise<Service>,
    { port, option }: ServicePort = { port: 0, option: '' },
  ): Promise<Service> {
    try {
      const service = await make({ port });
      started.push(service);
      return service;
    } catch (thrown) {
      await close();
      throw port === 0 ? thrown : portTaken(port, option, thrown);
    }
  }
  const broker = await start(createBroker, kafka);
  const schemas = await start(createRegistry, registry);
  const store = await start(createBigtable, bigtable);
  return {
    broker,
    registry: schemas,
    bigtable: store,
    filled: new Set(),
    env: {
      KAFKA_BROKERS: broker.brokers.join(','),
      SCHEMA_REGISTRY_URL: schemas.url,
      BIGTABLE_EMULATOR_HOST: store.host,
    },
    close,
  };
}

function portTaken(port: number, option: string, thrown: unknown): SluiceError {
  const { code = '', message, cause } = thrown as NodeJS.ErrnoException;
  const why = code || (cause as NodeJS.ErrnoException | undefined)?.code || message;
  return new SluiceError('port-taken', `port ${port} is not available (${why}): choose another with ${option}`, thrown);
}
