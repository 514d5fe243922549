import { elementwiseSpec, type FunctionSpec } from './spec.ts';

/** Mean radius of the Earth in kilometres, as defined by the International Union of Geodesy and Geophysics. */
const EARTH_KM = 6371.0088;
const RADIANS = Math.PI / 180;

const MISSING = 'A missing argument gives missing.';

export const GEO: readonly FunctionSpec[] = [
  elementwiseSpec(
    {
      name: 'haversine',
      signature: 'haversine(lat1, lon1, lat2, lon2)',
      doc: 'Great-circle distance between two places, in kilometres; arguments in degrees. Off by up to half a percent, because the Earth is not a sphere.',
      formula: `2 · ${EARTH_KM} · asin √(sin²(Δlat/2) + cos lat1 · cos lat2 · sin²(Δlon/2))`,
      missing: MISSING,
      example: { expression: 'round(haversine(33.64, -84.43, 40.64, -73.78))', gives: 1222 },
      more: [{ expression: 'haversine(10, 20, 10, 20)', gives: 0 }],
    },
    4,
    (lat1, lon1, lat2, lon2) => {
      const half = (a: string, b: string): string => `Math.sin((${b} - ${a}) * ${RADIANS / 2})`;
      const cosine = (lat: string): string => `Math.cos(${lat} * ${RADIANS})`;
      const square = `${half(lat1, lat2)} ** 2 + ${cosine(lat1)} * ${cosine(lat2)} * ${half(lon1, lon2)} ** 2`;
      // For opposite points of the Earth, rounding may lift the sum above 1, where asin gives NaN.
      return `${2 * EARTH_KM} * Math.asin(Math.min(1, Math.sqrt(${square})))`;
    },
  ),
  elementwiseSpec(
    {
      name: 'bearing',
      signature: 'bearing(lat1, lon1, lat2, lon2)',
      doc: 'Initial bearing of the shortest path from the first place to the second: degrees from north, clockwise, 0 up to 360.',
      formula: 'atan2(sin Δlon · cos lat2, cos lat1 · sin lat2 - sin lat1 · cos lat2 · cos Δlon) mod 360°',
      missing: MISSING,
      example: { expression: 'bearing(0, 0, 0, 10)', gives: 90 },
    },
    4,
    (lat1, lon1, lat2, lon2) => {
      const [a, b, turn] = [`${lat1} * ${RADIANS}`, `${lat2} * ${RADIANS}`, `(${lon2} - ${lon1}) * ${RADIANS}`];
      const north = `Math.cos(${a}) * Math.sin(${b}) - Math.sin(${a}) * Math.cos(${b}) * Math.cos(${turn})`;
      return `(Math.atan2(Math.sin(${turn}) * Math.cos(${b}), ${north}) * ${1 / RADIANS} + 360) % 360`;
    },
  ),
];
