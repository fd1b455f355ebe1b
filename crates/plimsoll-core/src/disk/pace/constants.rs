//! The constants of the present pace, all in one place. `docs/FORECAST.md` shows how the rule scores with them.

/// The windows that are tried, in minutes. The longest fits into the day of which every minute is kept.
pub const WINDOWS: [u16; 8] = [10, 20, 40, 80, 160, 320, 640, 1280];
/// Blocks of equal length that a window is cut into; each is one median.
pub(super) const BLOCKS: i64 = 8;
/// Blocks that an onset is looked for in,
pub(super) const ONSET_BLOCKS: i64 = 16;
/// of which at least so many are after it.
pub(super) const RISING_BLOCKS: usize = 6;
/// Blocks with a look in them that a slope needs.
pub(super) const LEAST_BLOCKS: usize = 3;
/// The days before the longest window that say what is usual.
pub const BACKGROUND_DAYS: i64 = 7;
/// With less background than this, in minutes, nothing counts as usual.
pub(super) const LEAST_BACKGROUND: u64 = 24 * 60;
/// The quantile of a window's slopes that is still usual.
pub(super) const USUAL: f64 = 0.9995;
/// A window stands out when its slope is more than this many times what is usual.
pub(super) const STANDS_OUT: f64 = 1.5;
/// What a window may gain on any server, in bytes: four WAL segments are no change of pace.
pub(super) const NOTHING: f64 = 64.0 * 1024.0 * 1024.0;
/// Growth accelerates when the later half of the window is this many times as steep as the earlier one.
pub(super) const STEEPER: f64 = 1.15;
/// A parabola is taken for a line when it leaves less than this share of the line's sum of squares,
pub(super) const PARABOLA_BETTER: f64 = 0.5;
/// and less than this share of all squares.
pub(super) const PARABOLA_FOLLOWS: f64 = 0.02;
/// A window stands out when it gained at least this share of what is still available: whatever fills a volume has
/// done so after a twentieth of the time.
pub(super) const GAINED: f64 = 0.05;
/// Looks that a pace needs at least,
pub(super) const LEAST_LOOKS: usize = 3;
/// over at least so many seconds.
pub(super) const LEAST_SECONDS: i64 = 120;
/// The share of the pairs' slopes on either side that the range leaves out.
pub(super) const LEFT_OUT: f64 = 0.07;
/// The range is at least this share of the slope to either side.
pub(super) const LEAST_SPREAD: f64 = 0.03;
/// What accelerates may do so by so many times more, or less.
pub(super) const GAINS_MORE: f64 = 2.0;
/// How much wider the range is without a background.
pub(super) const YOUNG: f64 = 2.0;
/// No date is given further ahead than this.
pub(super) const FURTHEST_HOURS: f64 = 365.0 * 24.0;
