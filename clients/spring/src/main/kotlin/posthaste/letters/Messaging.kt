package posthaste.letters

import org.apache.kafka.clients.producer.ProducerConfig
import org.apache.kafka.common.serialization.ByteArraySerializer
import org.springframework.beans.factory.annotation.Value
import org.springframework.context.annotation.Bean
import org.springframework.context.annotation.Configuration
import org.springframework.kafka.config.TopicBuilder
import org.springframework.kafka.core.DefaultKafkaProducerFactory
import org.springframework.kafka.core.KafkaTemplate
import org.springframework.kafka.core.ProducerFactory
import org.springframework.kafka.listener.DeadLetterPublishingRecoverer
import org.springframework.kafka.listener.DefaultErrorHandler
import org.springframework.kafka.support.converter.ByteArrayJacksonJsonMessageConverter
import org.springframework.kafka.support.serializer.JacksonJsonSerializer

/** Topics, templates and the error handler; Spring Boot wires the rest. */
@Configuration
class Messaging(@Value("\${topics}") private val topics: String) {
    @Bean
    fun orders() = TopicBuilder.name("$topics-orders").partitions(2).build()

    @Bean
    fun deadLetters() = TopicBuilder.name("$topics-orders-dlt").partitions(2).build()

    @Bean
    fun payments() = TopicBuilder.name("$topics-payments").partitions(2).build()

    @Bean
    fun transfers() = TopicBuilder.name("$topics-transfers").partitions(2).build()

    @Bean
    fun kafkaTemplate(factory: ProducerFactory<*, *>): KafkaTemplate<String, String> = KafkaTemplate(typed(factory))

    @Bean
    fun bytesTemplate(factory: ProducerFactory<*, *>): KafkaTemplate<String, ByteArray> =
        KafkaTemplate(typed(factory), mapOf(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG to ByteArraySerializer::class.java))

    @Bean
    fun ordersTemplate(factory: ProducerFactory<*, *>): KafkaTemplate<String, Order> =
        KafkaTemplate(typed(factory), mapOf(ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG to JacksonJsonSerializer::class.java))

    /** Its factory is no bean, or the other templates would ask for transactions too. */
    @Bean
    fun transactionalTemplate(factory: ProducerFactory<*, *>): KafkaTemplate<String, Order> {
        val settings = factory.configurationProperties +
            (ProducerConfig.VALUE_SERIALIZER_CLASS_CONFIG to JacksonJsonSerializer::class.java)
        val transactional = DefaultKafkaProducerFactory<String, Order>(settings)
        transactional.setTransactionIdPrefix("$topics-transfers-")
        return KafkaTemplate(transactional)
    }

    @Bean
    fun errorHandler(bytesTemplate: KafkaTemplate<String, ByteArray>) =
        DefaultErrorHandler(DeadLetterPublishingRecoverer(bytesTemplate))

    @Bean
    fun converter() = ByteArrayJacksonJsonMessageConverter()

    @Suppress("UNCHECKED_CAST")
    private fun <V : Any> typed(factory: ProducerFactory<*, *>) = factory as ProducerFactory<String, V>
}
