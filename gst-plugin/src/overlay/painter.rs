//! What is drawn: boxes, their labels, and the mark of generated pictures. Knows no video format.

use super::{canvas::Enlarged, colour};
use crate::regions::Region;
use embedded_graphics::{
    mono_font::{MonoFont, MonoTextStyle, iso_8859_1::FONT_8X13},
    pixelcolor::Rgb888,
    prelude::*,
    primitives::{PrimitiveStyleBuilder, Rectangle, StrokeAlignment},
    text::{Baseline, Text},
};

const FONT: &MonoFont<'static> = &FONT_8X13;
/// Space around a text, in pixels of the font.
const MARGIN: u32 = 2;
/// Longest label in characters: a label comes from a file or another element.
const MAX_LABEL: usize = 40;

/// How to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Width of a box's line in pixels; 0 chooses by the frame's height.
    pub thickness: u32,
    /// Whether to write the class.
    pub labels: bool,
    /// Whether to write the confidence.
    pub confidence: bool,
    /// Whether to write on a generated picture that it is one.
    pub mark_generated: bool,
    /// Enlargement of the font; 0 chooses by the frame's height.
    pub font_scale: u32,
}

impl Style {
    fn thickness(self, height: u32) -> u32 {
        if self.thickness > 0 {
            self.thickness
        } else {
            (height / 300).max(1)
        }
    }

    fn font_scale(self, height: u32) -> u32 {
        if self.font_scale > 0 {
            self.font_scale
        } else {
            (height / 480).max(1)
        }
    }
}

/// Draws everything; `generated`: what to write on a picture that is.
pub fn paint<T>(
    target: &mut T,
    regions: &[Region],
    generated: Option<&str>,
    style: Style,
) -> Result<(), T::Error>
where
    T: DrawTarget<Color = Rgb888> + OriginDimensions,
{
    let frame = target.size();
    for region in regions {
        if let Some(area) = visible(region, frame, style.thickness(frame.height)) {
            draw_region(target, region, &area, style)?;
        }
    }
    // Last: no box may hide it.
    if let Some(text) = generated.filter(|_| style.mark_generated) {
        draw_text(
            target,
            text,
            Point::zero(),
            style.font_scale(frame.height),
            Rgb888::BLACK,
        )?;
    }
    Ok(())
}

fn draw_region<T>(target: &mut T, region: &Region, area: &Rectangle, style: Style) -> Result<(), T::Error>
where
    T: DrawTarget<Color = Rgb888> + OriginDimensions,
{
    let frame = target.size();
    let colour = colour::of_class(region.class_id);
    let line = PrimitiveStyleBuilder::new()
        .stroke_color(colour)
        .stroke_width(style.thickness(frame.height))
        .stroke_alignment(StrokeAlignment::Inside)
        .build();
    area.into_styled(line).draw(target)?;

    let text = label(region, style);
    if text.is_empty() {
        return Ok(());
    }
    let scale = style.font_scale(frame.height);
    let (width, height) = text_size(&text, scale);
    let (width, height) = (width as i32, height as i32);
    // Above the box where there is room, else inside it; never out of the frame while it fits.
    let x = area.top_left.x.min(frame.width as i32 - width).max(0);
    let y = if area.top_left.y >= height {
        area.top_left.y - height
    } else {
        area.top_left.y.max(0)
    };
    draw_text(target, &text, Point::new(x, y), scale, colour)
}

/// The box, cut so that its numbers stay small and a side that lies outside stays outside; none when all of it does.
fn visible(region: &Region, frame: Size, thickness: u32) -> Option<Rectangle> {
    let side = |start: u32, len: u32, end: u32| {
        let stop = start.saturating_add(len).min(end.saturating_add(thickness));
        (start < end && stop > start).then(|| (start as i32, stop - start))
    };
    let (x, width) = side(region.x, region.w, frame.width)?;
    let (y, height) = side(region.y, region.h, frame.height)?;
    Some(Rectangle::new(Point::new(x, y), Size::new(width, height)))
}

fn label(region: &Region, style: Style) -> String {
    let mut text = String::new();
    if style.labels {
        text.extend(region.label.chars().take(MAX_LABEL));
        if let Some(track) = region.track {
            text.push_str(&format!(" {track}"));
        }
    }
    if style.confidence && region.confidence.is_finite() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&format!("{:.0}%", 100.0 * region.confidence.clamp(0.0, 1.0)));
    }
    // Line breaks would leave the label's background.
    text.replace(char::is_control, " ")
}

/// Width and height of a text with its background, in pixels.
fn text_size(text: &str, scale: u32) -> (u32, u32) {
    let (font, count) = (FONT.character_size, text.chars().count() as u32);
    (
        (count * font.width + 2 * MARGIN) * scale,
        (font.height + 2 * MARGIN) * scale,
    )
}

fn draw_text<T>(target: &mut T, text: &str, at: Point, scale: u32, background: Rgb888) -> Result<(), T::Error>
where
    T: DrawTarget<Color = Rgb888>,
{
    let (width, height) = text_size(text, scale);
    target.fill_solid(&Rectangle::new(at, Size::new(width, height)), background)?;
    let mut enlarged = Enlarged {
        target,
        origin: at,
        factor: scale,
    };
    let style = MonoTextStyle::new(FONT, colour::of_text(background));
    Text::with_baseline(text, Point::new_equal(MARGIN as i32), style, Baseline::Top).draw(&mut enlarged)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_class_track_and_confidence() {
        let region = Region {
            class_id: 0,
            label: "person".into(),
            confidence: 0.5,
            x: 0,
            y: 0,
            w: 1,
            h: 1,
            track: Some(17),
        };
        let style = |labels, confidence| Style {
            thickness: 0,
            labels,
            confidence,
            mark_generated: true,
            font_scale: 0,
        };
        assert_eq!(label(&region, style(true, true)), "person 17 50%");
        assert_eq!(label(&region, style(true, false)), "person 17");
        assert_eq!(label(&region, style(false, true)), "50%");
    }
}
