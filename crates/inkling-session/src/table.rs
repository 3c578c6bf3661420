//! Small tables of text: aligned for a terminal, as Markdown for a document, as CSV and as JSON
//! for programs.

use comfy_table::{CellAlignment, presets};

/// A table with named columns. Columns of nothing but numbers, alone or with a unit, are right-aligned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns.
    pub fn new<S: Into<String>>(columns: impl IntoIterator<Item = S>) -> Self {
        Self { columns: columns.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty, and cells beyond the last column are dropped.
    pub fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) -> &mut Self {
        let mut row: Vec<String> = cells.into_iter().map(Into::into).collect();
        row.resize(self.columns.len(), String::new());
        self.rows.push(row);
        self
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Aligned text for a terminal, without frames, so that `cut` and `awk` can use it too.
    pub fn to_text(&self) -> String {
        let mut table = self.render(presets::NOTHING);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        table.lines().fold(String::new(), |mut text, line| {
            text.push_str(line.trim_end());
            text.push('\n');
            text
        })
    }

    /// A Markdown table.
    pub fn to_markdown(&self) -> String {
        format!("{}\n", self.render(presets::ASCII_MARKDOWN))
    }

    /// Comma-separated values with a header.
    pub fn to_csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        // Writing to memory cannot fail, and all rows have one length.
        let _ = writer.write_record(&self.columns);
        for row in &self.rows {
            let _ = writer.write_record(row);
        }
        let bytes = writer.into_inner().unwrap_or_default();
        String::from_utf8(bytes).unwrap_or_default()
    }

    /// One JSON object per row; cells that read as numbers become numbers.
    pub fn to_json(&self) -> Vec<serde_json::Value> {
        self.rows
            .iter()
            .map(|row| {
                self.columns
                    .iter()
                    .zip(row)
                    .map(|(column, cell)| (column.clone(), json_of(cell)))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            })
            .collect()
    }

    fn render(&self, preset: comfy_table::TableStyle) -> comfy_table::Table {
        let mut table = comfy_table::Table::new();
        table.load_style(preset);
        table.set_header(&self.columns);
        table.add_rows(&self.rows);
        for (index, column) in table.column_iter_mut().enumerate() {
            let cells = || self.rows.iter().filter_map(|row| row.get(index));
            let numbers = cells().filter(|cell| reads_as_number(cell));
            if !self.rows.is_empty() && numbers.count() == cells().count() {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }
}

/// A number, alone or with a unit.
fn reads_as_number(cell: &str) -> bool {
    let starts = cell.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '.');
    starts && cell.split_whitespace().count() <= 2
}

fn json_of(cell: &str) -> serde_json::Value {
    match cell.parse::<serde_json::Number>() {
        Ok(number) => number.into(),
        Err(_) => cell.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["name", "bytes"]);
        table.row(["full, all", "1200"]).row(["lite", "35.5"]).row(["?"]);
        table.rows[2][1] = "-7".to_owned();
        table
    }

    #[test]
    fn one_table_in_every_form() {
        assert_eq!(table().to_text(), "name       bytes\nfull, all   1200\nlite        35.5\n?             -7\n");
        assert_eq!(
            table().to_markdown(),
            "| name      | bytes |\n|-----------|-------|\n| full, all |  1200 |\n| lite      |  35.5 |\n| ?         |    -7 |\n"
        );
        assert_eq!(table().to_csv(), "name,bytes\n\"full, all\",1200\nlite,35.5\n?,-7\n");
        assert_eq!(table().to_json()[0], serde_json::json!({"name": "full, all", "bytes": 1200}));
    }

    #[test]
    fn short_and_long_rows_fit() {
        let mut table = Table::new(["a", "b"]);
        table.row(["1"]).row(["1", "2", "3"]);
        assert_eq!(table.to_csv(), "a,b\n1,\n1,2\n");
    }
}
