use super::{GetWeather, WeatherData};
use vextir::prelude::*;

#[test]
fn the_declaration_gives_type_category_and_description() {
    assert_eq!(GetWeather::TYPE, "weather.get");
    assert_eq!(GetWeather::CATEGORY, Category::Internal);
    assert_eq!(GetWeather::DESCRIPTION, "Ask for the weather at one place.");
    assert_eq!(WeatherData::CATEGORY, Category::Output);
    assert_eq!(WeatherData::DESCRIPTION, "");
}

/// A change of an issue.
///
/// Comments count, too.
#[derive(Debug, PartialEq, Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "issue.changed")]
#[payload(category = "input")]
#[serde(rename_all = "snake_case")]
enum IssueChanged {
    Opened { title: String },
    Closed,
}

#[test]
fn an_enum_is_a_payload_and_options_may_be_spread() {
    assert_eq!(IssueChanged::DESCRIPTION, "A change of an issue.\n\nComments count, too.");
    let event = Event::of(&IssueChanged::Opened { title: "Rain".into() }).unwrap();
    assert_eq!(event.category, Category::Input);
    assert_eq!(event.data.value(), json!({"opened": {"title": "Rain"}}));
    let closed = Event::new("issue.changed").with_data(json!("closed"));
    assert_eq!(closed.decode::<IssueChanged>().unwrap(), IssueChanged::Closed);
}

#[doc = concat!("Made of ", "pieces.")]
/// And a line.
#[derive(Serialize, Deserialize, JsonSchema, Payload)]
#[payload(type = "pieces")]
struct Pieces;

#[test]
fn a_computed_doc_comment_is_put_together() {
    assert_eq!(Pieces::DESCRIPTION.trim(), "Made of pieces.\nAnd a line.");
}

#[test]
fn every_name_that_the_macro_takes_the_kernel_takes_too() {
    #[derive(Serialize, Deserialize, JsonSchema, Payload)]
    #[payload(type = "A-1.b_2.3c")]
    struct Odd;

    assert!(vextir::check_type(Odd::TYPE).is_ok());
}
