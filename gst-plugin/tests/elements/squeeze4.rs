//! A bundle that squeezes by 4 through all elements.

use gstcis::regions;

use crate::common::{bytes, headers, run, tiny4};

#[test]
fn objects_and_pictures_come_out_where_they_were() {
    let source = "videotestsrc num-buffers=4 pattern=white ! video/x-raw,format=I420,width=320,height=240";
    let ran = run(&format!(
        "{source} ! cisencode model={0} input-size=64 qindex=8 skip-threshold=2 ! cisdetect model={0} ! queue \
         ! cisdecode model={0} ! video/x-raw,format=RGB ! appsink name=out sync=false",
        tiny4()
    ))
    .ok();
    assert_eq!(ran.buffers().len(), 4);
    for buffer in ran.buffers() {
        // 320x240 becomes 256x192 pixels of x, cells of 64: 4x3 of them, 80 source pixels wide.
        let found = regions::read(buffer);
        assert_eq!(found.len(), 12);
        for region in found {
            assert_eq!(region.label, "bright");
            assert_eq!((region.x % 80, region.y % 80, region.w, region.h), (0, 0, 80, 80));
        }
        let picture = bytes(buffer);
        assert_eq!(picture.len(), 320 * 240 * 3);
        assert!(picture.iter().all(|&v| v >= 250));
    }
    let units = run(&format!(
        "{source} ! cisencode model={} input-size=64 skip-threshold=2 ! appsink name=out sync=false",
        tiny4()
    ))
    .ok()
    .units();
    let repeats = headers(&units).iter().filter(|header| header.repeat).count();
    assert_eq!(repeats, 3, "nothing moves");
}

#[test]
fn the_squeezed_image_comes_from_its_own_network() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("squeezed.png");
    run(&format!(
        "videotestsrc num-buffers=2 pattern=solid-color foreground-color=0xff2060a0 \
         ! video/x-raw,format=RGB,width=320,height=240 \
         ! cisencode model={} input-size=128 squeezed-location={} ! fakesink",
        tiny4(),
        file.display()
    ))
    .ok();
    let mut reader = png::Decoder::new(std::io::BufReader::new(std::fs::File::open(&file).unwrap()))
        .read_info()
        .unwrap();
    let mut data = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut data).unwrap();
    assert_eq!((info.width, info.height), (128, 96));
    assert!(data.chunks_exact(3).all(|pixel| pixel == [0x20, 0x60, 0xa0]));
}
