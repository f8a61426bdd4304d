/** Seconds as 1:02:03 or 4:05. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => `${n}`.padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Whether `ms` have passed since `since` and since it last returned true; always true if it `must` be. */
export function every(ms: number, since = Number.NEGATIVE_INFINITY): (must?: boolean) => boolean {
  return (must = false) => {
    const now = performance.now();
    if (!must && now - since < ms) return false;
    since = now;
    return true;
  };
}
