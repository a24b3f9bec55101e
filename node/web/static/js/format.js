// Numbers as people read them. Energies come in mWh, prices in µ/kWh, money as exact decimal text, times in UTC.
let currency = "EUR";
export const setCurrency = (code) => { currency = code || currency; };

const plain = (digits) => new Intl.NumberFormat("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const plains = [0, 1, 2, 3, 4].map(plain);
export const number = (value, digits = 0) => plains[digits].format(Object.is(value, -0) ? 0 : value);

export const none = "–";
export const power = (watts) => watts === null || watts === undefined ? none
  : Math.abs(watts) < 995 ? `${number(Math.round(watts))} W` : `${number(watts / 1000, 1)} kW`;
export const energy = (mwh, digits = 2) => mwh === null || mwh === undefined ? none : `${number(mwh / 1e6, digits)} kWh`;
export const stored = (wh) => wh === null || wh === undefined ? none : `${number(wh / 1000, 1)} kWh`;
export const price = (micro) => micro === null || micro === undefined ? none : `${number(micro / 1e6, 3)}`;
export const priceUnit = () => `${currency}/kWh`;
export const percent = (share) => share === null || share === undefined ? none : `${number(share * 100)} %`;

export function money(text) {
  if (text === null || text === undefined) return none;
  const exact = Number(text);
  const digits = Math.abs(exact) < 10 ? 3 : 2;
  // Less than half of the last digit shown is nothing, and nothing has no sign.
  const value = Math.abs(exact) < 0.5 * 10 ** -digits ? 0 : exact;
  try {
    return new Intl.NumberFormat("en", { style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
  } catch {
    return `${number(value, digits)} ${currency}`;
  }
}

const at = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", ...options });
const clock = at({ hour: "2-digit", minute: "2-digit" });
const seconds = at({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = at({ weekday: "short", day: "numeric", month: "short" });
export const time = (iso) => iso ? clock.format(new Date(iso)) : none;
export const timeExact = (iso) => iso ? seconds.format(new Date(iso)) : none;
export const date = (iso) => iso ? day.format(new Date(iso)) : none;
export const moment = (iso) => iso ? `${date(iso)} ${time(iso)}` : none;

export function span(totalSeconds) {
  if (totalSeconds === null || totalSeconds === undefined || !Number.isFinite(totalSeconds)) return none;
  const whole = Math.max(0, Math.round(totalSeconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (parts[0] >= 48) return `${Math.floor(parts[0] / 24)} days`;
  return parts[0] ? `${parts[0]} h ${parts[1]} min` : parts[1] ? `${parts[1]} min ${parts[2]} s` : `${parts[2]} s`;
}
export const short = (id) => id ? `${id.slice(0, 12)}…` : none;
export const words = (text) => (text || "").replaceAll("-", " ").replaceAll("_", " ");
