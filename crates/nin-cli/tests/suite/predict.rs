//! `predict`: picture formats, exact maps, and invalid pictures.

use std::io::{Cursor, Write};
use std::path::Path;
use std::process::Stdio;

use image::{DynamicImage, GrayImage, ImageFormat};
use serde_json::Value;

use crate::program::{command, nin};
use crate::workshop::{SIDE, TEST_IMAGES, train_small, words};

/// Map values are printed with all digits, so only the rounding of the mean remains.
const MEAN_TOLERANCE: f64 = 1e-5;

fn test_images(root: &Path) -> (Vec<GrayImage>, Vec<u8>) {
    let images = std::fs::read(root.join("data/t10k-images-idx3-ubyte")).unwrap();
    let labels = std::fs::read(root.join("data/t10k-labels-idx1-ubyte")).unwrap();
    let side = SIDE as u32;
    let images = images[16..].chunks_exact(SIDE * SIDE);
    let images = images.map(|pixels| GrayImage::from_raw(side, side, pixels.to_vec()).unwrap());
    (images.collect(), labels[8..].to_vec())
}

/// An image file in memory.
pub(crate) fn encoded(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn predict(root: &Path, arguments: &str) -> Value {
    let line = format!("predict --checkpoint run --format json {arguments}");
    nin(root, &words(&line)).json()
}

fn assert_means_are_logits(answers: &Value) {
    for image in answers["images"].as_array().unwrap() {
        let top = image["top"].as_array().unwrap();
        let maps = image["maps"].as_array().unwrap();
        assert_eq!(top.len(), maps.len());
        for (entry, map) in top.iter().zip(maps) {
            assert_eq!(entry["class"], map["class"]);
            let rows = map["values"].as_array().unwrap();
            let cells: Vec<f64> = rows
                .iter()
                .flat_map(|row| row.as_array().unwrap())
                .map(|value| value.as_f64().unwrap())
                .collect();
            let mean = cells.iter().sum::<f64>() / cells.len() as f64;
            let logit = entry["logit"].as_f64().unwrap();
            assert!((mean - logit).abs() <= MEAN_TOLERANCE, "{mean} is not {logit}");
        }
    }
}

fn logits(image: &Value) -> Vec<(String, f64)> {
    let mut logits: Vec<_> = image["top"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            (entry["class"].as_str().unwrap().to_owned(), entry["logit"].as_f64().unwrap())
        })
        .collect();
    logits.sort_by(|one, other| one.0.cmp(&other.0));
    logits
}

#[test]
fn predict_on_the_test_images_matches_eval() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let (images, labels) = test_images(root.path());
    std::fs::create_dir(root.path().join("pictures")).unwrap();
    for (at, image) in images.iter().enumerate() {
        image.save(root.path().join(format!("pictures/{at:03}.png"))).unwrap();
    }
    std::fs::write(root.path().join("pictures/notes.txt"), "no picture").unwrap();

    for backend in ["flex", "ndarray"] {
        let answers = predict(root.path(), &format!("pictures --top 3 --backend {backend}"));
        assert_means_are_logits(&answers);
        let images = answers["images"].as_array().unwrap();
        assert_eq!(images.len(), TEST_IMAGES);
        let mut right = 0;
        for (at, (image, label)) in images.iter().zip(&labels).enumerate() {
            assert_eq!(image["path"], format!("pictures/{at:03}.png"));
            assert_eq!((&image["size"], &image["inverted"]), (&[20, 20].into(), &false.into()));
            let class = image["top"][0]["class"].as_str().unwrap();
            right += usize::from(class.parse::<u8>().unwrap() == *label);
            let top = image["top"].as_array().unwrap();
            let shares: Vec<f64> =
                top.iter().map(|entry| entry["probability"].as_f64().unwrap()).collect();
            assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{shares:?}");
            assert!(shares.is_sorted_by(|one, other| one >= other), "{shares:?}");
            assert_eq!(image["maps"][0]["values"].as_array().unwrap().len(), SIDE / 2);
        }
        let line = format!("eval --checkpoint run --data data --format json --backend {backend}");
        let accuracy = nin(root.path(), &words(&line)).json()["accuracy"].as_f64().unwrap();
        assert_eq!(right as f64 / TEST_IMAGES as f64, accuracy);
    }
}

#[test]
fn eval_with_flips_averages_the_predictions_for_each_image_and_its_mirror_image() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let (images, labels) = test_images(root.path());
    for (folder, mirrored) in [("pictures", false), ("mirrored", true)] {
        std::fs::create_dir(root.path().join(folder)).unwrap();
        for (at, image) in images.iter().enumerate() {
            let mut image = image.clone();
            if mirrored {
                image::imageops::flip_horizontal_in_place(&mut image);
            }
            image.save(root.path().join(format!("{folder}/{at:03}.png"))).unwrap();
        }
    }
    let [plain, mirrored] = ["pictures", "mirrored"].map(|folder| {
        let answers = predict(root.path(), &format!("{folder} --top 3 --backend flex"));
        answers["images"].as_array().unwrap().clone()
    });
    let probability = |image: &Value, class: u8| {
        let class = class.to_string();
        let top = image["top"].as_array().unwrap();
        let entry = top.iter().find(|entry| entry["class"] == class.as_str()).unwrap();
        entry["probability"].as_f64().unwrap()
    };
    let (mut loss, mut right) = (0.0, 0);
    for ((one, other), &label) in plain.iter().zip(&mirrored).zip(&labels) {
        let means = [0, 1, 2]
            .map(|class| f64::midpoint(probability(one, class), probability(other, class)));
        loss -= means[usize::from(label)].ln() / TEST_IMAGES as f64;
        right += usize::from(means.iter().all(|mean| *mean <= means[usize::from(label)]));
    }
    let line = "eval --checkpoint run --data data --format json --backend flex";
    let alone = nin(root.path(), &words(line)).json();
    let both = nin(root.path(), &words(&format!("{line} --flips"))).json();
    assert_eq!((&alone["flips"], &both["flips"]), (&false.into(), &true.into()));
    assert_eq!(both["accuracy"].as_f64().unwrap(), right as f64 / TEST_IMAGES as f64);
    let [alone, both] = [alone, both].map(|report| report["loss"].as_f64().unwrap());
    assert!((both - loss).abs() < 1e-5, "{both}, {loss}");
    assert!((alone - loss).abs() > 1e-5, "{alone}, {loss}");
}

#[test]
fn one_picture_in_many_formats_has_one_answer() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let image = DynamicImage::from(test_images(root.path()).0.remove(1));
    let write = |name: &str, bytes: &[u8]| std::fs::write(root.path().join(name), bytes).unwrap();
    write("grey.png", &encoded(&image, ImageFormat::Png));
    write("colour.png", &encoded(&DynamicImage::from(image.to_rgb8()), ImageFormat::Png));
    write("alpha.png", &encoded(&DynamicImage::from(image.to_rgba8()), ImageFormat::Png));
    write("grey-alpha.png", &encoded(&image.to_luma_alpha8().into(), ImageFormat::Png));
    write("deep.png", &encoded(&image.to_luma16().into(), ImageFormat::Png));
    write("lossless.webp", &encoded(&image.to_rgb8().into(), ImageFormat::WebP));
    write("picture-without-ending", &encoded(&image, ImageFormat::Png));
    let answers = predict(
        root.path(),
        "grey.png colour.png alpha.png grey-alpha.png deep.png lossless.webp picture-without-ending",
    );
    let images = answers["images"].as_array().unwrap();
    assert_eq!(images.len(), 7);
    for other in images {
        assert_eq!(logits(other), logits(&images[0]), "{}", other["path"]);
    }

    let mut child = command(root.path(), &words("predict --checkpoint run --format json -"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&encoded(&image, ImageFormat::WebP)).unwrap();
    let from_stdin: Value =
        serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(from_stdin["images"][0]["path"], "-");
    assert_eq!(logits(&from_stdin["images"][0]), logits(&images[0]));
}

/// Returns EXIF data with only an orientation.
fn exif(orientation: u8) -> Vec<u8> {
    [
        &b"II*\0\x08\0\0\0"[..],      // little endian, the directory is 8 bytes on
        &[1, 0],                      // one entry
        &[0x12, 1, 3, 0, 1, 0, 0, 0], // orientation, one short
        &[orientation, 0, 0, 0],      // its value
        &[0; 4],                      // no further directory
    ]
    .concat()
}

/// Returns a JPEG with this EXIF data.
fn jpeg_with(exif: &[u8], jpeg: &[u8]) -> Vec<u8> {
    let length = (2 + 6 + exif.len()) as u16;
    [&jpeg[..2], &[0xff, 0xe1], &length.to_be_bytes(), b"Exif\0\0", exif, &jpeg[2..]].concat()
}

/// Returns a PNG with this EXIF data after its header.
fn png_with(exif: &[u8], png: &[u8]) -> Vec<u8> {
    const HEADER_END: usize = 33; // 8 bytes of signature, 25 of IHDR
    let chunk = [b"eXIf", exif].concat();
    let (length, sum) = ((exif.len() as u32).to_be_bytes(), crc32(&chunk).to_be_bytes());
    [&png[..HEADER_END], &length, &chunk, &sum, &png[HEADER_END..]].concat()
}

/// Returns a lossless WebP with this EXIF data.
fn webp_with(exif: &[u8], picture: &GrayImage) -> Vec<u8> {
    use image::ImageEncoder;
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut bytes);
    encoder.set_exif_metadata(exif.to_vec()).unwrap();
    let (width, height) = picture.dimensions();
    encoder.write_image(picture.as_raw(), width, height, image::ExtendedColorType::L8).unwrap();
    bytes
}

#[test]
fn exif_orientation_is_applied() {
    use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    // All eight orientations look different: a bar next to a corner.
    let lying = GrayImage::from_fn(40, 24, |x, y| {
        image::Luma([if (8..14).contains(&y) || (x < 12 && y < 8) { 220 } else { 0 }])
    });
    // The transformation for each orientation, 1 to 8, by the EXIF standard.
    let upright: [fn(&GrayImage) -> GrayImage; 8] = [
        GrayImage::clone,
        |image| flip_horizontal(image),
        |image| rotate180(image),
        |image| flip_vertical(image),
        |image| rotate90(&flip_vertical(image)),
        |image| rotate90(image),
        |image| rotate270(&flip_vertical(image)),
        |image| rotate270(image),
    ];
    let write = |name: &str, bytes: &[u8]| std::fs::write(root.path().join(name), bytes).unwrap();
    let png = encoded(&lying.clone().into(), ImageFormat::Png);
    let jpeg = encoded(&lying.clone().into(), ImageFormat::Jpeg);
    let mut names = Vec::new();
    for (orientation, turn) in (1..).zip(upright) {
        let exif = exif(orientation);
        write(&format!("{orientation}.png"), &png_with(&exif, &png));
        write(&format!("{orientation}.jpg"), &jpeg_with(&exif, &jpeg));
        let turned = encoded(&turn(&lying).into(), ImageFormat::Png);
        write(&format!("{orientation}-turned.png"), &turned);
        write(&format!("{orientation}.webp"), &webp_with(&exif, &lying));
        let names_of_one = ["png", "jpg", "webp"].map(|ending| format!("{orientation}.{ending}"));
        names.push(format!("{} {orientation}-turned.png", names_of_one.join(" ")));
    }
    let answers = predict(root.path(), &names.join(" "));
    let mut different = Vec::new();
    for (at, four) in answers["images"].as_array().unwrap().chunks_exact(4).enumerate() {
        let [png, jpeg, webp, turned] = four else { unreachable!() };
        let size = if at < 4 { [24, 40] } else { [40, 24] };
        assert_eq!((&png["size"], &jpeg["size"]), (&size.into(), &size.into()), "{}", at + 1);
        assert_eq!(logits(png), logits(turned), "orientation {}", at + 1);
        assert_eq!(logits(webp), logits(turned), "orientation {}", at + 1);
        for (jpeg, turned) in logits(jpeg).iter().zip(&logits(turned)) {
            // JPEG is close, but not equal.
            assert!((jpeg.1 - turned.1).abs() < 0.05 * (1.0 + turned.1), "{jpeg:?}, {turned:?}");
        }
        assert!(!different.contains(&logits(png)), "orientation {} is another's", at + 1);
        different.push(logits(png));
    }
    assert_eq!(different.len(), 8);
}

#[test]
fn dark_objects_on_white_are_inverted() {
    let root = tempfile::tempdir().unwrap();
    let train = "train --set data.limit=64 --epochs 1 --run run --progress none";
    nin(root.path(), &words(train)).ok();
    let picture = GrayImage::from_fn(28, 28, |x, y| {
        image::Luma([if (6..22).contains(&x) && (4..24).contains(&y) { 190 } else { 0 }])
    });
    let mut negative = picture.clone();
    image::imageops::invert(&mut negative);
    picture.save(root.path().join("on-black.png")).unwrap();
    negative.save(root.path().join("on-white.png")).unwrap();
    // Cut out, as in shops: the transparent background becomes white.
    let cut_out = image::RgbaImage::from_fn(28, 28, |x, y| {
        let value = negative.get_pixel(x, y)[0];
        image::Rgba([value, value, value, if value == 255 { 0 } else { 255 }])
    });
    cut_out.save(root.path().join("cut-out.png")).unwrap();

    let automatic = predict(root.path(), "on-black.png on-white.png cut-out.png");
    let inverted: Vec<_> = (0..3).map(|at| &automatic["images"][at]["inverted"]).collect();
    assert_eq!(inverted, [&false, &true, &true]);
    for at in 1..3 {
        assert_eq!(logits(&automatic["images"][0]), logits(&automatic["images"][at]));
    }
    let never = predict(root.path(), "on-white.png --invert no");
    assert_ne!(logits(&never["images"][0]), logits(&automatic["images"][0]));
    let always = predict(root.path(), "on-black.png --invert yes");
    assert_eq!(logits(&always["images"][0]), logits(&never["images"][0]));
}

#[test]
fn maps_are_written_as_png_and_dense_maps_grow_with_the_picture() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let (images, _) = test_images(root.path());
    let mut collage = GrayImage::new(3 * SIDE as u32, SIDE as u32);
    for (at, image) in images[..3].iter().enumerate() {
        image::imageops::replace(&mut collage, image, (at * SIDE) as i64, 0);
    }
    collage.save(root.path().join("collage.png")).unwrap();

    let answers = predict(root.path(), "collage.png --dense --top 2 --maps maps");
    assert_means_are_logits(&answers);
    let rows = answers["images"][0]["maps"][0]["values"].as_array().unwrap();
    assert_eq!((rows.len(), rows[0].as_array().unwrap().len()), (SIDE / 2, 3 * SIDE / 2));
    let mut names: Vec<_> = std::fs::read_dir(root.path().join("maps"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    assert_eq!(names.len(), 2, "{names:?}");
    for name in names {
        let overlay = image::open(&name).unwrap();
        assert_eq!((overlay.height(), overlay.width()), (260, 780), "{}", name.display());
    }
}

/// Returns a PNG that declares `side` x `side` pixels and contains none.
pub(crate) fn bomb(side: u32) -> Vec<u8> {
    let mut bytes = encoded(&GrayImage::new(8, 8).into(), ImageFormat::Png);
    bytes[16..20].copy_from_slice(&side.to_be_bytes());
    bytes[20..24].copy_from_slice(&side.to_be_bytes());
    let sum = crc32(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// Returns the checksum of a PNG chunk.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 * (sum & 1)))
    })
}

#[test]
fn invalid_pictures_are_named_and_the_others_are_classified() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let write = |name: &str, bytes: &[u8]| std::fs::write(root.path().join(name), bytes).unwrap();
    let good = encoded(&test_images(root.path()).0.remove(0).into(), ImageFormat::Png);
    write("good.png", &good);
    write("cut.png", &good[..good.len() / 2]);
    write("text.png", b"no picture at all");
    write("empty.jpg", b"");
    write("bomb.png", &bomb(60_000));
    write("huge.png", &bomb(u32::MAX >> 1));
    std::fs::create_dir(root.path().join("nothing")).unwrap();
    let long = std::fs::File::create(root.path().join("long.webp")).unwrap();
    long.set_len(1 << 30).unwrap();
    for (name, expected) in [
        ("cut.png", "`cut.png`: incomplete or damaged PNG picture"),
        ("text.png", "`text.png`: neither JPEG, PNG, WebP, GIF, BMP nor TIFF"),
        ("empty.jpg", "`empty.jpg`: neither JPEG, PNG, WebP, GIF, BMP nor TIFF"),
        ("bomb.png", "`bomb.png`: 60000x60000 pixels are more than"),
        ("huge.png", "`huge.png`: "),
        ("long.webp", "`long.webp`: the file has more than 67108864 bytes"),
        ("nothing", "`nothing`: the folder holds no JPEG"),
        ("nowhere.png", "`nowhere.png`: cannot read it"),
    ] {
        let alone = nin(root.path(), &["predict", "--checkpoint", "run", name]);
        assert_eq!((alone.code, alone.stdout.as_str()), (Some(1), ""), "{name}");
        assert!(alone.stderr.contains(&format!("error: {expected}")), "{name}: {}", alone.stderr);
        assert!(alone.stderr.contains("\nhint: "), "{name}: {}", alone.stderr);

        let line = format!("predict --checkpoint run --format json {name} good.png");
        let both = nin(root.path(), &words(&line));
        assert_eq!(both.code, Some(1), "{name}");
        assert!(both.stderr.contains("error: 1 of 2 pictures"), "{name}: {}", both.stderr);
        let answers: Value = serde_json::from_str(&both.stdout).unwrap();
        assert_eq!(answers["images"][0]["path"], "good.png");
        assert_eq!(answers["refused"][0]["path"], name);
    }
}

#[test]
fn eval_on_corrupted_images_lists_every_severity_of_every_kind() {
    let root = tempfile::tempdir().unwrap();
    train_small(root.path());
    let line = "eval --checkpoint run --data data --backend flex";
    let clean = nin(root.path(), &words(&format!("{line} --format json"))).json();
    assert!(clean["corruptions"].is_null());
    let asked = format!("{line} --corruptions --format json");
    let report = nin(root.path(), &words(&asked)).json();
    assert_eq!((&report["accuracy"], &report["loss"]), (&clean["accuracy"], &clean["loss"]));
    let corrupted = report["corruptions"].as_array().unwrap();
    assert_eq!(corrupted.len(), 7 * 5);
    let losses: Vec<f64> = corrupted.iter().map(|it| it["loss"].as_f64().unwrap()).collect();
    let changed = losses.iter().filter(|loss| **loss != clean["loss"].as_f64().unwrap());
    // A small shift of small images is none.
    assert!(changed.count() >= 30, "{losses:?}");
    let accuracies = corrupted.iter().map(|it| it["accuracy"].as_f64().unwrap());
    let mean = accuracies.sum::<f64>() / 35.0;
    assert!((mean - report["mean_corrupted_accuracy"].as_f64().unwrap()).abs() < 1e-12);
    assert_eq!(nin(root.path(), &words(&asked)).json()["corruptions"], report["corruptions"]);

    let text = nin(root.path(), &words(&format!("{line} --corruptions"))).ok().stdout;
    assert!(
        text.contains("\ncorruption             1       2       3       4       5\n"),
        "{text}"
    );
    assert!(text.contains("\ngaussian noise "), "{text}");
}
