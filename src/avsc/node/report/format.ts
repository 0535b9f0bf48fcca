// Numbers as a report's text. `page/kit.ts` has those that the charts need.

export function percent(fraction: number, digits = 1): string {
  return `${(100 * fraction).toFixed(digits)} %`;
}

/** With commas between thousands. */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** 11.8 M, 234 k. */
export function large(value: number): string {
  if (value >= 1e6) return `${(value / 1e6).toFixed(1)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(0)} k`;
  return count(value);
}

/** A time such as 2 h 05 min, 4 min 10 s or 3.2 s. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return hours > 0 ? `${hours} h ${two(minutes)} min` : `${minutes} min ${two(whole % 60)} s`;
}

/** A date such as '24 November 2026, 14:45 UTC'; text that is not a date stays as it is. */
export function dateText(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const day = date.toLocaleDateString('en-GB', { dateStyle: 'long', timeZone: 'UTC' });
  return `${day}, ${date.toISOString().slice(11, 16)} UTC`;
}

/** A scene's name to read: metro_station is metro station. */
export function words(name: string): string {
  return name.replaceAll('_', ' ');
}
