//! A table of aligned columns for the terminal, or for a pull request as markdown.

/// Where the text of a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Figures.
    Right,
}

/// Rows of text under headings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    headings: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table without rows.
    pub fn new(headings: &[(&str, Align)]) -> Self {
        Self { headings: headings.iter().map(|&(name, align)| (name.to_owned(), align)).collect(), rows: Vec::new() }
    }

    /// Adds a row, a cell for each heading.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells: Vec<String> = cells.into_iter().collect();
        assert_eq!(cells.len(), self.headings.len(), "a cell for each heading");
        self.rows.push(cells);
    }

    /// For a terminal: two blanks between columns, none at the end of a line.
    pub fn text(&self) -> String {
        let widths = self.widths();
        let mut text = String::new();
        let names: Vec<String> = self.headings.iter().map(|(name, _)| name.clone()).collect();
        for row in std::iter::once(&names).chain(&self.rows) {
            let cells = row
                .iter()
                .zip(&self.headings)
                .zip(&widths)
                .map(|((cell, (_, align)), &width)| pad(cell, width, *align));
            text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
            text.push('\n');
        }
        text
    }

    /// For a pull request. A bar in a cell is escaped, since it would end the cell.
    pub fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let mut text = line(self.headings.iter().map(|(name, _)| name.replace('|', "\\|")).collect());
        let rules =
            self.headings.iter().map(|(_, align)| if *align == Align::Left { "---" } else { "---:" }.to_owned());
        text.push_str(&line(rules.collect()));
        for row in &self.rows {
            text.push_str(&line(row.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect()));
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let cells = |column: usize| self.rows.iter().map(move |row| row[column].chars().count());
        let headings = self.headings.iter().enumerate();
        headings.map(|(column, (name, _))| cells(column).fold(name.chars().count(), usize::max)).collect()
    }
}

fn pad(cell: &str, width: usize, align: Align) -> String {
    let blanks = " ".repeat(width.saturating_sub(cell.chars().count()));
    match align {
        Align::Left => format!("{cell}{blanks}"),
        Align::Right => format!("{blanks}{cell}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_tail() {
        let mut table = Table::new(&[("probe", Align::Left), ("µs", Align::Right), ("verdict", Align::Left)]);
        table.row(["first".into(), "9".into(), "holds".into()]);
        table.row(["2".into(), "1,234".into(), String::new()]);
        assert_eq!(table.text(), "probe     µs  verdict\nfirst      9  holds\n2      1,234\n");
    }

    #[test]
    fn markdown_keeps_a_bar_inside_its_cell() {
        let mut table = Table::new(&[("a|b", Align::Left), ("n", Align::Right)]);
        table.row(["x|y".into(), "1".into()]);
        assert_eq!(table.markdown(), "| a\\|b | n |\n| --- | ---: |\n| x\\|y | 1 |\n");
    }
}
