//! What is printed, and docs/performance.md.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::run::{Comparison, Seen};

/// The least, the middle and the greatest.
fn spread(mut numbers: Vec<f64>) -> [f64; 3] {
    numbers.sort_by(f64::total_cmp);
    [numbers[0], numbers[numbers.len() / 2], numbers[numbers.len() - 1]]
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of seconds")]
fn ratios(comparison: &Comparison, what: usize) -> [f64; 3] {
    let ratio = |(own, peer): &([u64; 3], [u64; 3])| own[what] as f64 / peer[what].max(1) as f64;
    spread(comparison.pairs.iter().map(ratio).collect())
}

/// The least of what a ladder's runs took: the others are that and what the machine did beside.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of seconds, KiB of megabytes")]
fn least(comparison: &Comparison, what: usize) -> f64 {
    spread(comparison.pairs.iter().map(|(own, _)| own[what] as f64).collect())[0]
}

/// Milliseconds of a processor.
fn millis(comparison: &Comparison) -> f64 {
    least(comparison, 1) / 1e6
}

fn table(seen: &Seen) -> String {
    let Seen { name, what, processes, descriptors, sockets, comparisons } = seen;
    let mut text = format!(
        "{name}, {what}: {processes} processes, {descriptors} descriptors, {sockets} TCP and UDP sockets\n\n\
         | | beside | wall (min–max) | CPU | memory | told, of {sockets} |\n\
         | --- | --- | --- | --- | --- | --- |\n"
    );
    for comparison in comparisons {
        let Comparison { own, peer, asked, own_told, peer_told, .. } = comparison;
        let of = if asked == sockets { String::new() } else { format!(" of {asked}") };
        let [least, wall, most] = ratios(comparison, 0);
        let [cpu, memory] = [1, 2].map(|what| ratios(comparison, what)[1]);
        writeln!(
            text,
            "| {own} | {peer} | {wall:.3} ({least:.3}–{most:.3}) | {cpu:.3} | {memory:.2} | {own_told}; {peer_told}{of} |"
        )
        .unwrap();
    }
    text
}

pub(crate) fn print(seen: &Seen) {
    println!("{}", table(seen));
}

pub(crate) fn print_growth(growth: &[Seen]) {
    println!("{}", growth_table(growth));
}

fn growth_table(growth: &[Seen]) -> String {
    let mut text = "| sockets | bpf: CPU, ms | µs a socket | MiB | proc: CPU, ms | µs a socket | MiB | told |\n\
                    | --- | --- | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for seen in growth {
        let cells: Vec<String> = seen
            .comparisons
            .iter()
            .map(|comparison| {
                let millis = millis(comparison);
                let each = millis * 1e3 / sockets(seen);
                format!("{millis:.1} | {each:.2} | {:.1}", least(comparison, 2) / 1024.0)
            })
            .collect();
        let told: Vec<String> =
            seen.comparisons.iter().map(|comparison| comparison.own_told.to_string()).collect();
        writeln!(text, "| {} | {} | {} |", seen.sockets, cells.join(" | "), told.join("; "))
            .unwrap();
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred thousand sockets")]
fn sockets(seen: &Seen) -> f64 {
    seen.sockets as f64
}

/// The picture of the growth: time over sockets, a line for each ladder.
fn picture(growth: &[Seen]) -> String {
    const WIDTH: f64 = 640.0;
    const HEIGHT: f64 = 360.0;
    const MARGIN: f64 = 60.0;
    let millis = |seen: &Seen, ladder: usize| millis(&seen.comparisons[ladder]);
    let ladders = growth.first().map_or(0, |seen| seen.comparisons.len());
    let most = growth.iter().map(sockets).fold(1.0, f64::max);
    let slowest = growth
        .iter()
        .flat_map(|seen| (0..ladders).map(|ladder| millis(seen, ladder)))
        .fold(1.0, f64::max);
    let x = |value: f64| MARGIN + value / most * (WIDTH - 2.0 * MARGIN);
    let y = |value: f64| HEIGHT - MARGIN - value / slowest * (HEIGHT - 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <path d=\"M{MARGIN} {MARGIN}V{bottom}H{right}\" fill=\"none\" stroke=\"black\"/>\n\
         <text x=\"{MARGIN}\" y=\"40\">milliseconds of CPU; at most {slowest:.0}</text>\n\
         <text x=\"{right}\" y=\"{below}\" text-anchor=\"end\">sockets; at most {most}</text>\n",
        bottom = HEIGHT - MARGIN,
        right = WIDTH - MARGIN,
        below = HEIGHT - MARGIN + 30.0,
    );
    for (ladder, colour) in (0..ladders).zip(["#0b6", "#06b"]) {
        let points: Vec<String> = growth
            .iter()
            .map(|seen| format!("{:.1},{:.1}", x(sockets(seen)), y(millis(seen, ladder))))
            .collect();
        let last = growth.last().unwrap();
        writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"{colour}\">{}</text>",
            points.join(" "),
            x(most),
            y(millis(last, ladder)) - 6.0,
            last.comparisons[ladder].own
        )
        .unwrap();
    }
    svg + "</svg>\n"
}

fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease");
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let model = read("/proc/cpuinfo");
    let model = model.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, model)| model);
    format!("Linux {}, {cpus} CPUs ({model})", kernel.trim())
}

/// Writes docs/performance.md below its introduction, and the picture beside it.
pub(crate) fn write(seen: &[Seen], growth: &[Seen]) {
    const MARK: &str = "<!-- from here on written by the bench -->\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/performance.md");
    let old = std::fs::read_to_string(path).unwrap();
    let (introduction, measured) = old.split_once(MARK).expect("the mark in docs/performance.md");
    let mut sections: BTreeMap<&str, String> = measured
        .split("\n## ")
        .skip(1)
        .filter_map(|section| Some((section.get(..2)?, format!("{}\n", section.trim_end()))))
        .collect();
    // What was not measured this time stays as it was.
    for scene in seen {
        sections.insert(&scene.name, table(scene));
    }
    if !growth.is_empty() {
        let growth_text = format!(
            "growth, to 200,000 sockets\n\nCPU and memory are the least of the runs.\n\n\
             ![CPU over sockets](growth.svg)\n\n{}",
            growth_table(growth)
        );
        sections.insert("gr", growth_text);
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/growth.svg");
        std::fs::write(path, picture(growth)).unwrap();
    }
    let mut text = format!("{introduction}{MARK}\nMeasured on {}.\n", machine());
    for section in sections.values() {
        write!(text, "\n## {section}").unwrap();
    }
    std::fs::write(path, text).unwrap();
}
