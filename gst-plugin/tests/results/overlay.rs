//! `cisoverlay`: the right pixels in every format, and none outside the frame whatever the boxes say.

use gst_video::VideoFormat;
use gstcis::generated::{self, Quality};
use gstcis::regions::{self, Region};

const FORMATS: [VideoFormat; 9] = [
    VideoFormat::Rgb,
    VideoFormat::Bgr,
    VideoFormat::Rgbx,
    VideoFormat::Bgrx,
    VideoFormat::Rgba,
    VideoFormat::Bgra,
    VideoFormat::I420,
    VideoFormat::Nv12,
    VideoFormat::Gray8,
];
const GREY: u8 = 90;

type Rgb = [u8; 3];

fn info(format: VideoFormat, width: u32, height: u32, colorimetry: Option<&str>) -> gst_video::VideoInfo {
    crate::init();
    let colorimetry = colorimetry.map(|name| name.parse::<gst_video::VideoColorimetry>().unwrap());
    gst_video::VideoInfo::builder(format, width, height)
        .fps(gst::Fraction::new(10, 1))
        .colorimetry_if_some(colorimetry.as_ref())
        .build()
        .unwrap()
}

/// GStreamer's own conversion: it knows nothing of the canvas.
fn convert(buffer: gst::Buffer, from: &gst_video::VideoInfo, to: &gst_video::VideoInfo) -> gst::Buffer {
    let converter = gst_video::VideoConverter::new(from, to, None).unwrap();
    let source = gst_video::VideoFrame::from_buffer_readable(buffer, from).unwrap();
    let target = gst::Buffer::with_size(to.size()).unwrap();
    let mut target = gst_video::VideoFrame::from_buffer_writable(target, to).unwrap();
    converter.frame(&source, &mut target);
    target.into_buffer()
}

fn grey(info: &gst_video::VideoInfo) -> gst::Buffer {
    let rgb = self::info(VideoFormat::Rgb, info.width(), info.height(), None);
    convert(gst::Buffer::from_mut_slice(vec![GREY; rgb.size()]), &rgb, info)
}

/// Draws on grey and returns the bytes as they come out of the element.
fn draw(info: &gst_video::VideoInfo, found: &[Region], properties: &str) -> gst::Buffer {
    draw_on(info, found, None, properties)
}

/// The same on a picture that may be generated.
fn draw_on(
    info: &gst_video::VideoInfo,
    found: &[Region],
    quality: Option<Quality>,
    properties: &str,
) -> gst::Buffer {
    super::init();
    let mut harness = gst_check::Harness::new_parse(&format!("cisoverlay {properties}"));
    harness.set_src_caps(info.to_caps().unwrap());
    let mut buffer = grey(info);
    let writable = buffer.make_mut();
    writable.set_pts(gst::ClockTime::ZERO);
    found.iter().for_each(|region| regions::attach(writable, region));
    if let Some(quality) = quality {
        generated::mark(writable, quality);
    }
    harness.push(buffer).unwrap();
    harness.pull().unwrap()
}

struct Picture {
    bytes: Vec<u8>,
    stride: usize,
}

impl Picture {
    fn of(buffer: gst::Buffer, info: &gst_video::VideoInfo) -> Self {
        let rgb = self::info(VideoFormat::Rgb, info.width(), info.height(), None);
        let buffer = convert(buffer, info, &rgb);
        Self {
            bytes: buffer.map_readable().unwrap().to_vec(),
            stride: rgb.stride()[0] as usize,
        }
    }

    fn at(&self, x: usize, y: usize) -> Rgb {
        let at = y * self.stride + 3 * x;
        [self.bytes[at], self.bytes[at + 1], self.bytes[at + 2]]
    }
}

fn close(a: Rgb, b: Rgb) -> bool {
    a.iter().zip(b).all(|(&a, b)| a.abs_diff(b) <= 6)
}

fn luma([r, g, b]: Rgb) -> u8 {
    ((299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500) / 1000) as u8
}

fn person(area: [u32; 4]) -> Region {
    let [x, y, w, h] = area;
    Region {
        class_id: 3,
        label: "person".into(),
        confidence: 0.5,
        x,
        y,
        w,
        h,
        track: None,
    }
}

#[test]
fn a_box_has_its_colour_in_every_format() {
    // Lines so wide that no chroma filter reaches their middle from outside.
    let plain = "thickness=8 labels=false confidence=false";
    let reference = info(VideoFormat::Rgb, 160, 120, None);
    let colour = Picture::of(draw(&reference, &[person([40, 24, 64, 56])], plain), &reference).at(44, 50);
    assert!(!close(colour, [GREY; 3]));
    for colorimetry in [
        None,
        Some("bt709"),
        Some("bt601"),
        Some("2:4:5:1"),
        Some("1:3:5:1"),
    ] {
        for format in FORMATS {
            let yuv = matches!(format, VideoFormat::I420 | VideoFormat::Nv12);
            if colorimetry.is_some() && !yuv {
                continue;
            }
            let info = info(format, 160, 120, colorimetry);
            let picture = Picture::of(draw(&info, &[person([40, 24, 64, 56])], plain), &info);
            let wanted = if format == VideoFormat::Gray8 {
                [luma(colour); 3]
            } else {
                colour
            };
            for (x, y) in [(44, 50), (100, 50), (70, 28), (70, 76), (44, 28)] {
                let found = picture.at(x, y);
                assert!(
                    close(found, wanted),
                    "{format:?} {colorimetry:?} {x},{y}: {found:?}, not {wanted:?}"
                );
            }
            for (x, y) in [
                (35, 50),
                (53, 50),
                (109, 50),
                (70, 18),
                (70, 40),
                (70, 85),
                (0, 0),
                (159, 119),
            ] {
                let found = picture.at(x, y);
                assert!(
                    close(found, [GREY; 3]),
                    "{format:?} {colorimetry:?} {x},{y}: {found:?} is drawn on"
                );
            }
        }
    }
}

#[test]
fn alpha_becomes_opaque_and_padding_stays() {
    for (format, padded) in [(VideoFormat::Rgba, false), (VideoFormat::Rgbx, true)] {
        let info = info(format, 64, 64, None);
        let before = grey(&info).map_readable().unwrap().to_vec();
        let after = draw(&info, &[person([0, 0, 64, 64])], "labels=false confidence=false");
        let after = after.map_readable().unwrap().to_vec();
        assert_eq!(after[3], if padded { before[3] } else { 255 });
    }
}

#[test]
fn labels_and_confidence_can_be_switched() {
    let info = info(VideoFormat::Rgb, 320, 240, None);
    let drawn = |properties: &str| {
        let buffer = draw(&info, &[person([100, 100, 80, 80])], properties);
        let bytes = buffer.map_readable().unwrap().to_vec();
        bytes.iter().filter(|&&byte| byte != GREY).count()
    };
    let nothing = drawn("labels=false confidence=false");
    let [confidence, label, both] = [
        drawn("labels=false"),
        drawn("confidence=false"),
        drawn("labels=true confidence=true"),
    ];
    assert!(
        nothing < confidence && confidence < label && label < both,
        "{nothing} {confidence} {label} {both}"
    );
    assert!(drawn("font-scale=2") > both);
    assert!(drawn("thickness=9 labels=false confidence=false") > nothing);
}

#[test]
fn generated_pictures_say_so_in_the_upper_left_corner() {
    let bytes = |buffer: gst::Buffer| buffer.map_readable().unwrap().to_vec();
    for format in FORMATS {
        let info = info(format, 320, 240, None);
        let grey = bytes(grey(&info));
        assert_eq!(bytes(draw(&info, &[], "")), grey, "{format:?}: not generated");
        let [features, enhanced] = [Quality::Features, Quality::Enhanced].map(|quality| {
            let off = draw_on(&info, &[], Some(quality), "mark-generated=false");
            assert_eq!(bytes(off), grey, "{format:?}: switched off");
            bytes(draw_on(&info, &[], Some(quality), ""))
        });
        assert_ne!(features, enhanced, "{format:?}: they say different things");
        let marked = Picture::of(gst::Buffer::from_mut_slice(features), &info);
        assert!(close(marked.at(0, 0), [0; 3]), "{format:?}");
        let white = (0..180).flat_map(|x| (0..20).map(move |y| (x, y)));
        assert!(
            white.into_iter().any(|(x, y)| marked.at(x, y)[0] > 245),
            "{format:?}: no letters"
        );
        for (x, y) in [(319, 0), (0, 239), (0, 24)] {
            assert!(close(marked.at(x, y), [GREY; 3]), "{format:?} {x},{y}");
        }
    }
}

#[test]
fn no_box_hides_the_mark() {
    let info = info(VideoFormat::Rgb, 320, 240, None);
    let mark = Picture::of(draw_on(&info, &[], Some(Quality::Features), ""), &info);
    let boxed = [person([0, 0, 300, 200])];
    let both = Picture::of(draw_on(&info, &boxed, Some(Quality::Features), ""), &info);
    for (x, y) in (0..180).flat_map(|x| (0..17).map(move |y| (x, y))) {
        assert_eq!(both.at(x, y), mark.at(x, y), "{x},{y}");
    }
}

#[test]
fn a_mark_survives_changes_of_format_and_size() {
    super::init();
    let info = info(VideoFormat::Rgb, 64, 48, None);
    let launch = "videoconvert ! capsfilter caps=video/x-raw,format=I420 ! videoscale ! \
         capsfilter caps=video/x-raw,width=32,height=24";
    let mut harness = gst_check::Harness::new_parse(launch);
    harness.set_src_caps(info.to_caps().unwrap());
    for quality in [Quality::Enhanced, Quality::Features] {
        let mut buffer = grey(&info);
        let writable = buffer.make_mut();
        writable.set_pts(gst::ClockTime::ZERO);
        generated::mark(writable, Quality::Enhanced);
        generated::mark(writable, quality);
        harness.push(buffer).unwrap();
        let out = harness.pull().unwrap();
        assert_eq!(out.size(), 32 * 24 * 3 / 2);
        assert_eq!(generated::quality_of(&out), Some(quality));
    }
}

#[test]
fn hostile_boxes_are_clipped() {
    let max = u32::MAX;
    let mut hostile: Vec<_> = [
        [0, 0, max, max],
        [max, max, max, max],
        [max, 0, 1, 1],
        [0, max, 1, 1],
        [10, 10, max, 1],
        [10, 10, 1, max],
        [63, 63, 1, 1],
        [64, 0, 9, 9],
        [0, 0, 0, 0],
        [5, 5, 0, 9],
        [1 << 31, 1 << 31, 1 << 31, 1 << 31],
    ]
    .map(person)
    .into();
    for (i, confidence) in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 1e300]
        .into_iter()
        .enumerate()
    {
        let label = format!("{}\n\0\u{1f600}{}", "é".repeat(i), "long ".repeat(1000));
        hostile.push(Region {
            class_id: max - i as u32,
            label,
            confidence,
            x: 3,
            y: 3,
            w: 30,
            h: 30,
            track: (i % 2 == 0).then_some(u64::MAX),
        });
    }
    for format in FORMATS {
        for (width, height) in [(64, 64), (65, 33), (1, 1), (2, 7), (640, 3)] {
            for properties in ["", "thickness=64 font-scale=32 mark-generated=true"] {
                let info = info(format, width, height, None);
                let out = draw(&info, &hostile, properties);
                assert_eq!(out.size(), info.size(), "{format:?} {width}x{height}");
            }
        }
    }
}

#[test]
fn boxes_that_leave_the_frame_show_no_side_there() {
    let info = info(VideoFormat::Rgb, 100, 100, None);
    let plain = "thickness=2 labels=false confidence=false";
    let picture = Picture::of(draw(&info, &[person([50, 50, 500, 500])], plain), &info);
    assert!(!close(picture.at(75, 50), [GREY; 3]) && !close(picture.at(50, 75), [GREY; 3]));
    assert!(close(picture.at(99, 75), [GREY; 3]) && close(picture.at(75, 99), [GREY; 3]));
}
