//! The archive of a cluster, in the database: which cluster it is of, which rooms live there, and
//! up to which id each is recorded.
//!
//! A folder has one past at a time: that of a server of its own, or of one cluster. What was kept
//! for a restart belongs to it: sessions, the lesson, and rooms that are still open. In another
//! past nothing of it may go on, or ids would be given twice; its messages stay, as those of rooms
//! that have ended.

use std::collections::HashMap;

use rusqlite::{Connection, ToSql, TransactionBehavior, params};

use super::store::{Store, each_room};

/// The name of the fact that says which cluster this is an archive of.
const CLUSTER: &str = "cluster";

impl Store {
    /// Has this be the database of a server of its own, even if it was an archive.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(super) fn leave_cluster(&mut self) -> rusqlite::Result<()> {
        let transaction = self.transaction(TransactionBehavior::Immediate)?;
        begin_past(&transaction, None)?;
        transaction.commit()
    }

    /// Up to which id each room is recorded.
    ///
    /// # Errors
    ///
    /// SQLite's error.
    pub(super) fn recorded_to(&self) -> rusqlite::Result<HashMap<u64, u64>> {
        // A recovered database may lack rows of one of the tables.
        let query = each_room(
            "SELECT rooms.room, (SELECT max(id) FROM event WHERE event.room = rooms.room) \
             FROM rooms WHERE rooms.room IS NOT NULL \
             UNION ALL SELECT room, recorded_to FROM archived",
        );
        let mut statement = self.connection().prepare(&query)?;
        let mut rows = statement.query([])?;
        let mut recorded = HashMap::new();
        while let Some(row) = rows.next()? {
            let [room, last] = [row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64];
            let highest = recorded.entry(room).or_insert(last);
            *highest = last.max(*highest);
        }
        Ok(recorded)
    }
}

/// Ends what belongs to another past than that of this cluster, or of a server of its own.
pub(super) fn begin_past(connection: &Connection, cluster: Option<&str>) -> rusqlite::Result<()> {
    let before: Option<String> = connection.query_row(
        "SELECT (SELECT value FROM fact WHERE name = ?1)",
        [CLUSTER],
        |row| row.get(0),
    )?;
    if before.as_deref() == cluster {
        return Ok(());
    }
    end_rooms(connection, "true", &[])?;
    connection.execute_batch("DELETE FROM session; DELETE FROM lesson; DELETE FROM attended")?;
    connection.execute("DELETE FROM fact WHERE name = ?1", [CLUSTER])?;
    if let Some(cluster) = cluster {
        connection.execute("INSERT INTO fact VALUES (?1, ?2)", params![CLUSTER, cluster])?;
    }
    Ok(())
}

/// Ends the rooms that live and meet this condition, each at the time of its last event.
pub(super) fn end_rooms(
    connection: &Connection,
    condition: &str,
    values: &[&dyn ToSql],
) -> rusqlite::Result<()> {
    let sql = format!(
        "UPDATE room SET ended = coalesce((SELECT time FROM event \
         WHERE event.room = room.room ORDER BY id DESC LIMIT 1), 0) \
         WHERE ended IS NULL AND ({condition})"
    );
    connection.execute(&sql, values).map(drop)
}
